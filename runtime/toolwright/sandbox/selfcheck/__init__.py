"""The start-up check: each layer of the sandbox is attacked, and what must stop the attack has to do so exactly.

`inspection.py` compares a live container with what the engine says of it, `facts.py` asks a call what it
can do, `attacks.py` takes what a tool may not have. `check.py` runs all and names the layers that fail.
None of them reads the policy's own options: an option that is removed there has to show here.
"""
