"""From open Incidents to dead agents: what is held, what is done next, what has been confirmed. State is the API's."""
