{{/* There is one operator in a cluster, so its name does not depend on the release. */}}
{{- define "aldis.name" -}}aldis-operator{{- end }}

{{- define "aldis.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Names of the Secrets for pulling the image, with commas between them. */}}
{{- define "aldis.imagePullSecrets" -}}
{{- $names := list -}}
{{- range .Values.imagePullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{ join "," $names }}
{{- end }}

{{- define "aldis.selector" -}}
app.kubernetes.io/name: aldis
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "aldis.labels" -}}
{{ include "aldis.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
