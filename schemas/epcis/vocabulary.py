"""The words of the Core Business Vocabulary (CBV 2.0), in whichever of their forms they were written.

A word may stand bare (`shipping`), as a Web URI (`https://ref.gs1.org/cbv/BizStep-shipping`), as a CURIE
(`cbv:BizStep-shipping`) or as a URN (`urn:epcglobal:cbv:bizstep:shipping`): all four are one.
"""

import re
from functools import lru_cache
from typing import Final

WEB: Final = "https://ref.gs1.org/cbv/"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BIZ_STEPS: Final = _words(
    "accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting "
    "decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting "
    "installing killing loading other packing picking receiving removing repackaging repairing replacing reserving "
    "retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting "
    "unloading unpacking void_shipping releasing"
)
"""CBV 2.0, section 7.1, and `releasing`, which is ours: the end of a holding (CBV has no word for it)."""

DISPOSITIONS: Final = _words(
    "active available completeness_inferred completeness_verified conformant container_closed container_open damaged "
    "destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance "
    "mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed "
    "recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable "
    "unknown"
)
"""CBV 2.0, section 7.2."""

TRANSACTION_TYPES: Final = _words("bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt")
"""CBV 2.0, section 7.3."""

PARTY_TYPES: Final = frozenset({"owning_party", "possessing_party", "location"})
"""CBV 2.0, section 7.4 (source and destination types)."""

ERROR_REASONS: Final = frozenset({"did_not_occur", "incorrect_data"})
"""CBV 2.0, section 7.5."""


@lru_cache(maxsize=4_096)
def word(text: str) -> str:
    """The bare word, where it is one of CBV's forms; what is a word of somebody else comes back unchanged."""
    found = _FORM.fullmatch(text)
    return found[1] if found else text


def web_uri(term: str, text: str) -> str:
    """The Web URI of a word of a kind (`BizStep`, `Disp`, `BTT`, `SDT`); other people's words come back unchanged."""
    bare = word(text)
    return bare if ":" in bare else f"{WEB}{term}-{bare}"


_FORM: Final = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt|er):"
    r"|(?:https?://(?:ref\.gs1\.org/cbv|ns\.gs1\.org/voc|ns\.gs1\.org/cbv)/|cbv:)(?:BizStep|Bizstep|Disp|BTT|SDT|ER)-)"
    r"([A-Za-z0-9_]+)"
)
