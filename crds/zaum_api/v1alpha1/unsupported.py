"""Fields that the API has and this version does not act on: declared, so that nothing is pruned in silence.

Their content is kept and refused as a whole by the rule of the object around them; what may stand inside is said
by the version that acts on it.
"""

from typing import Annotated, Any

import pydantic

from zaum_api.v1alpha1.scalars import text

_OPAQUE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

Opaque = Annotated[dict[str, Any], pydantic.WithJsonSchema(_OPAQUE)]
OpaqueList = Annotated[list[Opaque], pydantic.Field(max_length=64)]
OpaqueText = Annotated[str, text(least=0, most=64)]
