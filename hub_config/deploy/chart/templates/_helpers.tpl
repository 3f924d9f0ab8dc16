{{- define "imagine.labels" -}}
app.kubernetes.io/name: imagine-platform
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "imagine.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "imagine.container" -}}
image: {{ .Values.image.name }}@{{ .Values.image.digest }}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
env:
  - name: IMAGINE_SETTINGS
    value: /etc/imagine/settings.yaml
  - name: PGPASSFILE
    value: /run/imagine/database/pgpass
  - name: IMAGINE_PLATFORM__LISTEN
    value: 0.0.0.0:8005
  - name: IMAGINE_PLATFORM__METRICS_LISTEN
    value: 0.0.0.0:8006
volumeMounts:
  - {name: settings, mountPath: /etc/imagine, readOnly: true}
  - {name: secrets, mountPath: /run/imagine/secrets, readOnly: true}
  - {name: database, mountPath: /run/imagine/database, readOnly: true}
  - {name: scratch, mountPath: /tmp}
  {{- if .Values.modelStoreClaim }}
  - {name: model-store, mountPath: /var/lib/imagine/model-store}
  {{- end }}
{{- end }}

{{- define "imagine.volumes" -}}
- name: settings
  configMap: {name: imagine-settings}
- name: secrets
  secret:
    secretName: {{ .Values.secret }}
    defaultMode: 0440
    items: [{key: platform-token, path: platform-token}]
- name: database
  secret:
    secretName: {{ .Values.secret }}
    # libpq takes no password from a file that others than its owner may read, unless root owns it and a group reads.
    defaultMode: 0440
    items: [{key: pgpass, path: pgpass}]
- name: scratch
  emptyDir: {sizeLimit: 4Gi}
{{- if .Values.modelStoreClaim }}
- name: model-store
  persistentVolumeClaim: {claimName: {{ .Values.modelStoreClaim }}}
{{- end }}
{{- end }}

{{- define "imagine.watches" -}}
{{ dig "kubernetes" "watches_cluster" true .Values.settings }}
{{- end }}
