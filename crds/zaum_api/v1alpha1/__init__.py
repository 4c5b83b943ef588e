"""AgentPolicy v1alpha1 as pydantic models: the only source of the CRD's schema, its descriptions and its rules."""
