"""The battery: what an agent that knows its policy tries, from inside its own pod, and what came of it.

Every attempt has a positive control and a second witness that does not depend on what the pod says. All traffic stays
in the cluster's two network namespaces, which have no way out; that is asserted before anything is sent.
"""
