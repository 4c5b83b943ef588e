"""One table of good and bad objects with the expected verdict, for every layer that reads them.

The unit tests run it through pydantic and the JSON schema; a test with a cluster runs the same table through a real
API server with `fieldValidation=Strict`. A case is a whole `spec`, or for `name` the name of the policy. CHANGES are
for the API server alone.
"""

from typing import Final

from tests.support.table import (
    agents,
    amounts,
    case,
    ceilings,
    changes,
    detectors,
    doors,
    everyfield,
    incidents,
    metering,
    routes,
)

IMAGE: Final = case.IMAGE
Case = case.Case
Change = case.Change
Refusal = case.Refusal
agent = case.agent
task = case.task
spec = case.spec
hosts = case.hosts
limits = case.limits
containment = case.containment
runaway = case.runaway
resources = case.resources
liveness = case.liveness
token = case.token
ingress = case.ingress
entry = case.entry
pods = case.pods
lifetime = case.lifetime
ceiling = ceilings.ceiling
breach = incidents.breach
asked = incidents.asked
released = incidents.released
route = routes.route
routed = routes.routes
provider = metering.provider
limited_host = metering.host

GOOD: Final = (*agents.GOOD, *doors.GOOD, *routes.GOOD, *amounts.GOOD, *detectors.GOOD, *metering.GOOD)
BAD: Final = (*agents.BAD, *doors.BAD, *routes.BAD, *amounts.BAD, *detectors.BAD, *metering.BAD)
GOOD_CEILINGS: Final = ceilings.GOOD
BAD_CEILINGS: Final = ceilings.BAD
GOOD_INCIDENTS: Final = incidents.GOOD
BAD_INCIDENTS: Final = incidents.BAD
EVERY_FIELD: Final = (
    *everyfield.cases("AgentPolicy"),
    *everyfield.cases("AgentCeiling"),
    *everyfield.cases("Incident"),
)
"""Each field of all kinds as null, misspelt, and of another type."""
FULL: Final = everyfield.POLICY
FULL_CEILING: Final = everyfield.CEILING
FULL_INCIDENT: Final = everyfield.INCIDENT
GOOD_CHANGES: Final = changes.GOOD
BAD_CHANGES: Final = changes.BAD
GOOD_INCIDENT_CHANGES: Final = incidents.GOOD_CHANGES
BAD_INCIDENT_CHANGES: Final = incidents.BAD_CHANGES
