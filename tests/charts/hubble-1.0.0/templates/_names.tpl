{{/* Labels of an object: {{ include "hubble.labels" (list . "server") }}. They hold the version, so they change. */}}
{{- define "hubble.labels" -}}
{{- $root := index . 0 -}}
{{ include "hubble.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end -}}

{{/* Labels of a selector and of pods: never a version, since selectors are immutable. */}}
{{- define "hubble.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Image of a component with the chart's own version: {{ include "hubble.image" (list . "server") }} */}}
{{- define "hubble.image" -}}
{{- $root := index . 0 -}}
{{ $root.Values.image.repository }}/{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
