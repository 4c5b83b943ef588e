{{- /* Who may do what to objects of ours, as CEL lists. People are in none of them, cluster administrators included. */ -}}
{{- define "zaum.user.operator" -}}
system:serviceaccount:{{ .Release.Namespace }}:zaum-operator
{{- end }}

{{- define "zaum.user.ledger" -}}
system:serviceaccount:{{ .Release.Namespace }}:zaum-ledger
{{- end }}

{{- /* Who ends what is in a namespace that is being deleted. The garbage collector is not among them: an owner that
somebody wrote onto an Incident must not end it. */ -}}
{{- define "zaum.cel.namespaceDeleters" -}}
{{- $users := list "system:serviceaccount:kube-system:namespace-controller" "system:kube-controller-manager" }}
{{- include "zaum.cel.list" (concat $users .Values.admission.trustedUsers) }}
{{- end }}

{{- define "zaum.cel.list" -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}'{{ $item }}'{{ end }}]
{{- end }}

{{- define "zaum.cel.changers" -}}
{{- include "zaum.cel.list" (list (include "zaum.user.operator" .) "system:serviceaccount:kube-system:generic-garbage-collector" "system:kube-controller-manager") }}
{{- end }}

{{- /* A claim is bound to its volume, and let go, by Kubernetes' own controllers; a provisioner of another kind is to be trusted. */ -}}
{{- define "zaum.cel.claimChangers" -}}
{{- $users := list (include "zaum.user.operator" .) "system:kube-controller-manager" "system:kube-scheduler" }}
{{- range list "generic-garbage-collector" "persistent-volume-binder" "pvc-protection-controller" }}
{{- $users = append $users (printf "system:serviceaccount:kube-system:%s" .) }}
{{- end }}
{{- include "zaum.cel.list" (concat $users .Values.admission.trustedUsers) }}
{{- end }}

{{- /* Who writes the status of quotas, claims and Services: the quota's own admission in the API server, and controllers. */ -}}
{{- define "zaum.cel.accountants" -}}
{{- $users := list "system:apiserver" "system:kube-controller-manager" }}
{{- range list "resourcequota-controller" "persistent-volume-binder" "pvc-protection-controller" "expand-controller" }}
{{- $users = append $users (printf "system:serviceaccount:kube-system:%s" .) }}
{{- end }}
{{- include "zaum.cel.list" (concat $users .Values.admission.trustedUsers) }}
{{- end }}

{{- define "zaum.cel.deleters" -}}
{{- $kube := list "generic-garbage-collector" "namespace-controller" "pod-garbage-collector" "node-controller" }}
{{- $users := list (include "zaum.user.operator" .) (printf "system:serviceaccount:%s:zaum-uninstall" .Release.Namespace) "system:kube-controller-manager" "system:kube-scheduler" }}
{{- range $kube }}{{ $users = append $users (printf "system:serviceaccount:kube-system:%s" .) }}{{ end }}
{{- include "zaum.cel.list" (concat $users .Values.admission.trustedUsers) }}
{{- end }}

{{- /* Who reports on pods: the scheduler and the controllers that mark a pod before they delete it; nodes come beside. */ -}}
{{- define "zaum.cel.reporters" -}}
{{- $kube := list "pod-garbage-collector" "node-controller" "disruption-controller" }}
{{- $users := list "system:kube-controller-manager" "system:kube-scheduler" }}
{{- range $kube }}{{ $users = append $users (printf "system:serviceaccount:kube-system:%s" .) }}{{ end }}
{{- include "zaum.cel.list" (concat $users .Values.admission.trustedUsers) }}
{{- end }}

{{- define "zaum.cel.isNode" -}}
request.userInfo.groups.exists(g, g == 'system:nodes')
{{- end }}

{{- define "zaum.binding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "zaum.labels" (dict "root" .root "component" "admission") | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
  {{- with .where }}
  # The cluster's owner marks namespaces whose ceilings may open a way into agent pods; elsewhere all are closed.
  matchResources:
    namespaceSelector:
      matchExpressions:
      - {key: zaum.dev/access, operator: {{ . }}, values: [Ceilings]}
  {{- end }}
  {{- with .guard }}
  paramRef: {name: zaum--guard, parameterNotFoundAction: {{ . }}}
  {{- end }}
{{- end }}

{{- define "zaum.policyHead" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels: {{- include "zaum.labels" (dict "root" .root "component" "admission") | nindent 4 }}
{{- end }}

{{- /* The ways into a running pod of ours that a ceiling can open. */ -}}
{{- define "zaum.ways" -}}
matchConstraints:
  resourceRules:
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [CONNECT]
    resources: [pods/exec, pods/attach, pods/portforward]
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [UPDATE]
    resources: [pods/ephemeralcontainers]
matchConditions:
- name: pods-of-ours
  expression: request.namespace != '{{ .Release.Namespace }}' && request.name.startsWith('zaum-')
{{- end }}
