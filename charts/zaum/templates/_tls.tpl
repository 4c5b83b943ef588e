{{- /*
Certificates. The chart names the Secrets and leaves them empty: `data` is the operator's, or cert-manager's, and no
rendering ever says anything of it. So an upgrade, or a tool that renders again and again, takes nothing away.
*/ -}}
{{- define "zaum.certificates.byOperator" -}}
{{- if eq .Values.certificates.issuer "Operator" }}true{{ end }}
{{- end }}

{{- define "zaum.certificates.environment" -}}
{{- $of := .Values.certificates }}
{{- $day := 86400 }}
{{- $lives := dict "ca" (mul $of.caDays $day) "leaf" (mul $of.leafDays $day) "settle" $of.settleSeconds }}
{{- $lives = merge (dict) $of.unsafeSeconds $lives }}
{{- if lt (int $lives.ca) (mul 3 (int $lives.leaf)) }}
{{- fail "certificates: caDays must be at least three times leafDays: an authority is replaced at two thirds of its life, and its last leaf must fit into the rest" }}
{{- end }}
{{- if lt (int $lives.leaf) (mul 12 (int $lives.settle)) }}
{{- fail "certificates: leafDays must be at least twelve times settleSeconds: a leaf is renewed while changes settle" }}
{{- end -}}
- {name: ZAUM_CERTIFICATES, value: {{ ternary "Operator" "External" (eq $of.issuer "Operator") }}}
- {name: ZAUM_CA_SECONDS, value: {{ int $lives.ca | quote }}}
- {name: ZAUM_LEAF_SECONDS, value: {{ int $lives.leaf | quote }}}
- {name: ZAUM_SETTLE_SECONDS, value: {{ int $lives.settle | quote }}}
{{- end }}

{{- /* What the operator sees of the Secrets: of its own all, of the others no key. Optional: at first they are empty. */ -}}
{{- define "zaum.certificates.operatorVolume" -}}
- name: certificates
  projected:
    defaultMode: 0440
    sources:
    {{- if include "zaum.certificates.byOperator" . }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-ca" "as" "zaum-ca" "keys" (list "revision" "ca.crt" "tls.crt" "tls.key")) | nindent 4 }}
    {{- else }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-gateway-tls" "as" "zaum-ca" "keys" (list "ca.crt")) | nindent 4 }}
    {{- end }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-gateway-tls" "as" "zaum-gateway-tls" "keys" (list "revision" "root-revision" "ca.crt" "tls.crt" "client.crt")) | nindent 4 }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-authorizer-tls" "as" "zaum-authorizer-tls" "keys" (list "revision" "root-revision" "ca.crt" "tls.crt")) | nindent 4 }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-ledger-tls" "as" "zaum-ledger-tls" "keys" (list "revision" "root-revision" "ca.crt" "tls.crt")) | nindent 4 }}
    {{- include "zaum.certificates.shown" (dict "from" "zaum-session-keys" "as" "zaum-session-keys" "keys" (list "revision" "made")) | nindent 4 }}
{{- end }}

{{- define "zaum.certificates.shown" -}}
- secret:
    name: {{ .from }}
    optional: true
    items:
    {{- $as := .as }}
    {{- range .keys }}
    - {key: {{ . }}, path: {{ $as }}/{{ . }}}
    {{- end }}
{{- end }}

{{- /* Not optional and named one by one: Envoy starts when all are there. cert-manager makes one pair per Secret. */ -}}
{{- define "zaum.certificates.gatewaySources" -}}
{{- $certManager := eq .Values.certificates.issuer "CertManager" }}
- secret:
    name: zaum-gateway-tls
    items:
    - {key: tls.crt, path: tls/tls.crt}
    - {key: tls.key, path: tls/tls.key}
    - {key: ca.crt, path: tls/ca.crt}
    {{- if not $certManager }}
    - {key: client.crt, path: tls/client.crt}
    - {key: client.key, path: tls/client.key}
    {{- end }}
{{- if $certManager }}
- secret:
    name: zaum-gateway-client-tls
    items:
    - {key: tls.crt, path: tls/client.crt}
    - {key: tls.key, path: tls/client.key}
{{- end }}
{{- end }}
