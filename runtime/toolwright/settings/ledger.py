"""Settings of the ledger: what models cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolwright.settings.section import Section


class LedgerSettings(Section):
    """What `toolwright costs` says of prices."""

    price_max_age_days: Annotated[int, Field(ge=1, le=3_650)] = 180
    """Days after which a price of the price list is called outdated: 1 to 3,650. A month counts from its first day.
    Illustrative prices never are."""
