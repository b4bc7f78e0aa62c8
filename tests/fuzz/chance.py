"""The one seed of everything that is drawn at random here: given by the environment, or fixed; printed at the end."""

from __future__ import annotations

import os
from typing import Final

VARIABLE: Final = "TOOLWRIGHT_FUZZ_SEED"
SEED: Final = int(os.environ.get(VARIABLE, "20260101"))
