#!/bin/sh
# Runs inside mmdebstrap once the packages are unpacked in $1, before its apt cache is removed.
# $2 holds the agent; $3, if it is there, the wheels of the recipe, unpacked. Nothing of an engine or of a tool is here:
# only Debian's signed packages, wheels fixed by hash, and our own code. Of the wheels nothing is run.
set -eu
root=$1
agent=$2
site=$3

# What came, with the digests of the archives that apt has checked against Debian's signed index.
(cd "$root/var/cache/apt/archives" && sha256sum -- *.deb) >"$root/toolwright-packages.txt"

# The packages hold /usr only; the loader and the chroot below need the usual names.
for name in bin lib lib64 sbin; do
    [ -e "$root/$name" ] || [ ! -d "$root/usr/$name" ] || ln -s "usr/$name" "$root/$name"
done

mkdir -p "$root/usr/lib/toolwright"
cp -r "$agent" "$root/usr/lib/toolwright/toolwright_agent"
[ ! -d "$site" ] || cp -r "$site" "$root/usr/lib/toolwright/site-packages"

# Bytecode is made once, here: at run time the image is read-only, and parsing the library anew costs each container
# half a second. Unchecked: the source cannot change, so it need not be looked at. The hash seed makes it the same twice.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
PYTHONHASHSEED=0
export PATH PYTHONHASHSEED
chroot "$root" /usr/bin/python3.13 -s -S -P -B -X utf8 -m compileall -q --invalidation-mode unchecked-hash \
    /usr/lib/python3.13 /usr/lib/toolwright
