{{- /*
Certificates, made once and kept: `zaum.tls` fills .Values.made with the CA and three pairs, from the Secrets of an
earlier install where there are such. It runs once per rendering, so that every template sees the same certificates.
*/ -}}
{{- define "zaum.tls" -}}
{{- if not (hasKey .Values "made") }}
{{- $names := dict "gateway" "gateway.zaum.dev" "client" "gateway-client.zaum.dev" "authorizer" "authorizer.zaum.dev" }}
{{- $stored := lookup "v1" "Secret" .Release.Namespace "zaum-ca" }}
{{- $days := int .Values.tls.days }}
{{- $ca := dict }}
{{- if and $stored $stored.data }}
{{- $ca = buildCustomCert (index $stored.data "tls.crt") (index $stored.data "tls.key") }}
{{- else }}
{{- $ca = genCA "zaum" $days }}
{{- end }}
{{- $made := dict "ca" (dict "cert" $ca.Cert "key" $ca.Key) }}
{{- range $part, $name := $names }}
{{- $kept := include "zaum.tls.kept" (dict "root" $ "part" $part "ca" $ca.Cert) | fromJson }}
{{- if $kept.cert }}
{{- $_ := set $made $part $kept }}
{{- else }}
{{- $pair := genSignedCert $name nil (list $name) $days $ca }}
{{- $_ := set $made $part (dict "cert" $pair.Cert "key" $pair.Key) }}
{{- end }}
{{- end }}
{{- $_ := set .Values "made" $made }}
{{- end }}
{{- end }}

{{- /* The pair of an earlier install, when the CA and the generation are still the same; else {}. */ -}}
{{- define "zaum.tls.kept" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace (ternary "zaum-authorizer-tls" "zaum-gateway-tls" (eq .part "authorizer")) }}
{{- $stem := ternary "client" "tls" (eq .part "client") }}
{{- $kept := dict }}
{{- if and $secret $secret.data }}
{{- $generation := dig "metadata" "annotations" "tls-generation" "" $secret }}
{{- if and (eq $generation (toString (int .root.Values.tls.generation))) (eq (index $secret.data "ca.crt" | b64dec) .ca) }}
{{- $kept = dict "cert" (index $secret.data (printf "%s.crt" $stem) | b64dec) "key" (index $secret.data (printf "%s.key" $stem) | b64dec) }}
{{- end }}
{{- end }}
{{- toJson $kept }}
{{- end }}
