{{- define "zaum.labels" -}}
app.kubernetes.io/name: zaum
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "zaum.selector" -}}
app.kubernetes.io/name: zaum
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* repository[:tag][@digest]; the digest wins, and an empty tag beside it is left out. */ -}}
{{- define "zaum.image" -}}
{{- $image := index .root.Values.images .name -}}
{{- $tag := $image.tag | default (ternary "" .root.Chart.AppVersion (ne $image.digest "")) -}}
{{- $image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "zaum.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10010
  runAsGroup: 10010
  fsGroup: 10010
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "zaum.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* The ServiceAccount's token, spelt out: the pod says where it is mounted, and no container gets it by default. */ -}}
{{- define "zaum.tokenVolume" -}}
- name: api-token
  projected:
    defaultMode: 0440
    sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap:
        name: kube-root-ca.crt
        items: [{key: ca.crt, path: ca.crt}]
    - downwardAPI:
        items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}

{{- define "zaum.tokenMount" -}}
- {name: api-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{- /* Replicas on nodes and in zones of their own, where there are enough. A hard rule would let none start on one node. */ -}}
{{- define "zaum.spread" -}}
topologySpreadConstraints:
{{- $of := . }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "zaum.selector" $of | nindent 6 }}
{{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "zaum.selector" . | nindent 12 }}
{{- end }}

{{- /* A PodDisruptionBudget where a component has several replicas. */ -}}
{{- define "zaum.disruption" -}}
{{- if gt (int (index .root.Values .component).replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: zaum-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "zaum.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "zaum.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{- /* Whether the release holds rights on the whole cluster: "true" or empty. */ -}}
{{- define "zaum.clusterWide" -}}
{{- if eq .Values.scope.mode "Cluster" }}true{{ end }}
{{- end }}

{{- /* Whether there is a ledger: "true" or empty. */ -}}
{{- define "zaum.ledger" -}}
{{- if and .Values.ledger.enabled (include "zaum.clusterWide" .) }}true{{ end }}
{{- end }}

{{- /* The namespaces with agents, for the parts that must not look at others; empty: all. */ -}}
{{- define "zaum.watchNamespaces" -}}
{{- if has .Release.Namespace .Values.scope.namespaces }}
{{- fail "scope.namespaces must not hold the release namespace: agents never run beside what guards them" }}
{{- end }}
{{- join "," .Values.scope.namespaces }}
{{- end }}

{{- /* An address as a range of one. */ -}}
{{- define "zaum.cidr" -}}
{{- if contains "/" . }}{{ . }}{{ else if contains ":" . }}{{ . }}/128{{ else }}{{ . }}/32{{ end }}
{{- end }}
