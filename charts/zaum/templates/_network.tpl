{{- /* Egress to the API server: its own addresses and its Service's, as rules of a NetworkPolicy. */ -}}
{{- define "zaum.apiServerEgress" -}}
{{- $addresses := .Values.network.apiServer.addresses }}
{{- $ports := list }}
{{- range .Values.network.apiServer.ports }}{{ $ports = append $ports (int .) }}{{ end }}
{{- if not $addresses }}
{{- range (lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "").items }}
{{- if eq (dig "metadata" "labels" "kubernetes.io/service-name" "" .) "kubernetes" }}
{{- range .endpoints }}{{ $addresses = concat $addresses .addresses }}{{ end }}
{{- range .ports }}{{ $ports = append $ports (int .port) }}{{ end }}
{{- end }}
{{- end }}
{{- with lookup "v1" "Service" "default" "kubernetes" }}{{ $addresses = concat $addresses .spec.clusterIPs }}{{ end }}
{{- end }}
- to:
  {{- range uniq $addresses }}
  - ipBlock: {cidr: {{ include "zaum.cidr" . | quote }}}
  {{- else }}
  - ipBlock: {cidr: 0.0.0.0/0}
  - ipBlock: {cidr: "::/0"}
  {{- end }}
  ports:
  {{- range uniq $ports }}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
{{- end }}

{{- /* Every range that no allowed name may lead to, as a JSON list: the denied ones and what the cluster says of itself. */ -}}
{{- define "zaum.excluded" -}}
{{- $ranges := concat .Values.network.deniedRanges .Values.network.clusterRanges .Values.network.apiServer.addresses }}
{{- range (lookup "v1" "Node" "" "").items }}
{{- $ranges = concat $ranges (dig "spec" "podCIDRs" list .) }}
{{- range dig "status" "addresses" list . }}
{{- if has .type (list "InternalIP" "ExternalIP") }}{{ $ranges = append $ranges .address }}{{ end }}
{{- end }}
{{- end }}
{{- range (lookup "networking.k8s.io/v1" "ServiceCIDR" "" "").items }}{{ $ranges = concat $ranges .spec.cidrs }}{{ end }}
{{- range (lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "").items }}
{{- if eq (dig "metadata" "labels" "kubernetes.io/service-name" "" .) "kubernetes" }}
{{- range .endpoints }}{{ $ranges = concat $ranges .addresses }}{{ end }}
{{- end }}
{{- end }}
{{- $cidrs := list }}
{{- range $ranges }}{{ $cidrs = append $cidrs (include "zaum.cidr" .) }}{{ end }}
{{- toJson (uniq $cidrs) }}
{{- end }}

{{- /* The cluster's DNS as its pods have it: at most the four addresses that the operator takes, separated by commas. */ -}}
{{- define "zaum.clusterDNS" -}}
{{- $addresses := .Values.clusterDNS }}
{{- if not $addresses }}
{{- with lookup "v1" "Service" .Values.network.dns.namespace "kube-dns" }}{{ $addresses = .spec.clusterIPs }}{{ end }}
{{- end }}
{{- join "," $addresses }}
{{- end }}

{{- /* Where the corporate proxy is: its host where that is an address, else what the values say. As a JSON list. */ -}}
{{- define "zaum.upstreamProxy.addresses" -}}
{{- $proxy := .Values.gateway.upstreamProxy }}
{{- $addresses := $proxy.addresses }}
{{- if or (contains ":" $proxy.host) (regexMatch "^[0-9.]+$" $proxy.host) }}{{ $addresses = append $addresses $proxy.host }}{{ end }}
{{- if not $addresses }}
{{- fail "gateway.upstreamProxy.addresses: give the addresses or ranges of the proxy; a NetworkPolicy knows no names" }}
{{- end }}
{{- toJson (uniq $addresses) }}
{{- end }}
