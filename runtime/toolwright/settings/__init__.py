"""Settings: typed ceilings, read once at start and passed down. A typo stops the service.

Sources, the first that names a value wins: flags ▸ environment (`TOOLWRIGHT_SANDBOX__RUNTIME=runsc`) ▸
TOML file (`TOOLWRIGHT_CONFIG`, else `./toolwright.toml`, else `~/.config/toolwright/config.toml`) ▸
`OPENAI_API_KEY` and `OPENAI_BASE_URL` for the models ▸ defaults.
"""

from toolwright.settings.ledger import LedgerSettings
from toolwright.settings.loading import load_settings
from toolwright.settings.root import Settings, check_listen
from toolwright.settings.sections import (
    BatchSettings,
    EndpointSettings,
    GrpcSettings,
    IsolationSettings,
    LimitSettings,
    MakingSettings,
    ModelSettings,
    PoolSettings,
    Profile,
    RoleSettings,
    SandboxSettings,
)

__all__ = [
    "BatchSettings",
    "EndpointSettings",
    "GrpcSettings",
    "IsolationSettings",
    "LedgerSettings",
    "LimitSettings",
    "MakingSettings",
    "ModelSettings",
    "PoolSettings",
    "Profile",
    "RoleSettings",
    "SandboxSettings",
    "Settings",
    "check_listen",
    "load_settings",
]
