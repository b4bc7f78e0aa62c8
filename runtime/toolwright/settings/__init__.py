"""Settings: typed ceilings, read once at start and passed down. A typo stops the service.

Sources, the first that names a value wins: flags ▸ environment (`TOOLWRIGHT_SANDBOX__RUNTIME=runsc`) ▸
TOML file (`TOOLWRIGHT_CONFIG`, else `./toolwright.toml`, else `~/.config/toolwright/config.toml`) ▸
`OPENAI_API_KEY` and `OPENAI_BASE_URL` for the models ▸ defaults.
"""

from toolwright.settings.cache import CacheSettings
from toolwright.settings.dispatch import AnswerMisses, DispatchSettings, EmbeddingSettings
from toolwright.settings.feedback import FeedbackSettings
from toolwright.settings.ledger import LedgerSettings
from toolwright.settings.loading import load_settings
from toolwright.settings.models import EndpointSettings, FallbackSettings, ModelSettings, RoleSettings
from toolwright.settings.root import Settings, check_listen
from toolwright.settings.sections import (
    BatchSettings,
    GrpcSettings,
    IsolationSettings,
    LimitSettings,
    MakingSettings,
    PoolSettings,
    Profile,
    SandboxSettings,
)
from toolwright.settings.solving import SolvingSettings
from toolwright.settings.trust import TrustSettings

__all__ = [
    "AnswerMisses",
    "BatchSettings",
    "CacheSettings",
    "DispatchSettings",
    "EmbeddingSettings",
    "EndpointSettings",
    "FallbackSettings",
    "FeedbackSettings",
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
    "SolvingSettings",
    "TrustSettings",
    "check_listen",
    "load_settings",
]
