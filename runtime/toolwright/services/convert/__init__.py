"""Domain values ⇄ messages of toolwright.v1, both ways; used by services and clients.

Texts: protobuf takes valid Unicode only, so `wire_text` puts U+FFFD in place of each lone surrogate. What
a caller sends to be run or answered is never altered so: it is refused instead, by the domain values.
Times: seconds since 1970 as float ⇄ Timestamp, rounded to microseconds.
"""
