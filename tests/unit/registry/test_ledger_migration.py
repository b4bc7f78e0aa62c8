"""A registry from before the ledger knew tenants, tools and unknown prices."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from toolwright.domain.ledger import CostKey, Part
from toolwright.registry.open import open_store
from toolwright.registry.schema import MIGRATIONS

_BEFORE = "0005"
_ROWS = [("user", 0.5), ("dispatcher", 0.25), ("user", 0.0)]


def _old_registry(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, _BEFORE)
        for role, cost in _ROWS:
            task = "add" if role == "user" else ""
            connection.execute(
                text(
                    "INSERT INTO model_uses (at, role, model, task, purpose, prompt_tokens, completion_tokens,"
                    f" cost_usd, seconds) VALUES (1.5, '{role}', 'm', '{task}', 'using', 100, 10, {cost}, 0.25)"
                )
            )
    engine.dispose()


def test_what_was_kept_before_still_counts(tmp_path: Path) -> None:
    """Rows of the old schema are the default tenant's; what was kept as 0 dollars had no price."""
    path = tmp_path / "registry.db"
    _old_registry(path)

    with closing(open_store(path)) as store:
        (total,) = store.ledger.sums([CostKey.TENANT])
        (nothing, add) = store.ledger.by_task()

    assert (total.key, total.calls, total.cost_usd) == (("default",), 3, 0.75)
    assert (total.unpriced_calls, total.unpriced_tokens) == (1, 110)
    # They say no question, so each answer of the light model counts as one.
    assert (add.of(Part.LIGHT).questions, nothing.of(Part.OTHER).calls) == (2, 1)
