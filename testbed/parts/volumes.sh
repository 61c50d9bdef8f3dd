# A pool of PersistentVolumes on the node's disk. Sourced inside a cluster's namespaces.
#
# Nothing provisions volumes here, so a pool of them waits to be claimed: most of the default class, some of no class. A volume
# whose claim is gone is replaced by an empty one; until then its data stays.

volume_objects() {
    echo /apis/storage.k8s.io/v1/storageclasses '{"kind": "StorageClass", "apiVersion": "storage.k8s.io/v1", "metadata": {
        "name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner"}' | tr -d '\n'
    echo
    local i
    for i in {01..60}; do
        if [ "$i" -le 48 ]; then volume "pool-$i" standard; else volume "pool-$i" ''; fi
    done
}

# volume NAME CLASS: an empty folder and the request that announces it.
volume() {
    local folder=$testbed_state/volumes/$1
    rm -rf "$folder"
    mkdir -p "$folder"
    chmod 777 "$folder"
    echo /api/v1/persistentvolumes "{\"kind\": \"PersistentVolume\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"$1\"}, \"spec\":" \
        "{\"capacity\": {\"storage\": \"100Gi\"}, \"accessModes\": [\"ReadWriteOnce\"]," \
        "\"persistentVolumeReclaimPolicy\": \"Retain\", \"storageClassName\": \"$2\", \"local\": {\"path\": \"/run/volumes/$1\"}," \
        "\"nodeAffinity\": {\"required\": {\"nodeSelectorTerms\": [{\"matchExpressions\": [{\"key\": \"kubernetes.io/hostname\"," \
        "\"operator\": \"In\", \"values\": [\"$NODE_NAME\"]}]}]}}}}"
}

# Watches for volumes whose claim was deleted, as long as the API server answers.
recycle_volumes() {
    local name class
    while true; do
        api '/api/v1/persistentvolumes?watch=1' -N | jq --unbuffered -r 'select(.object.status.phase == "Released" and
            .object.metadata.deletionTimestamp == null) | [.object.metadata.name, .object.spec.storageClassName] | join(" ")' |
            while read -r name class; do
                echo "recycling $name"
                api "/api/v1/persistentvolumes/$name" -X DELETE -o /dev/null || continue
                await "the end of $name" gone "$name"
                volume "$name" "$class" | create_recycled
            done
        sleep 1
    done
}

gone() { [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$testbed_state/ca.crt" -H "Authorization: Bearer $admin_token" "$server/api/v1/persistentvolumes/$1")" = 404 ]; }

create_recycled() {
    local path object
    read -r path object
    api "$path" -H 'Content-Type: application/json' -d "$object" -o /dev/null
}
