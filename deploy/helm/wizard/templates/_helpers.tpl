{{- define "wizard.labels" -}}
app.kubernetes.io/name: wizard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "wizard.selector" -}}
app.kubernetes.io/name: wizard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
