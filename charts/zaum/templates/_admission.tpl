{{- /* Who may do what to objects of ours, as CEL lists. People are in none of them, cluster administrators included. */ -}}
{{- define "zaum.user.operator" -}}
system:serviceaccount:{{ .Release.Namespace }}:zaum-operator
{{- end }}

{{- define "zaum.cel.list" -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}'{{ $item }}'{{ end }}]
{{- end }}

{{- define "zaum.cel.changers" -}}
{{- include "zaum.cel.list" (list (include "zaum.user.operator" .) "system:serviceaccount:kube-system:generic-garbage-collector" "system:kube-controller-manager") }}
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
{{- end }}

{{- define "zaum.policyHead" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels: {{- include "zaum.labels" (dict "root" .root "component" "admission") | nindent 4 }}
{{- end }}
