# etcd, API server, controller manager and scheduler, and how to speak to them. Sourced inside a cluster's namespaces.

testbed_state=$DIR/state
logs=$DIR/logs
node_address=192.168.77.1
pod_cidr=10.244.0.0/16
service_cidr=10.96.0.0/16
server=https://$node_address:6443

# Starts a program in the background with a log of its own.
declare -A programs=()
launch() {
    local name=$1
    shift
    "$@" >>"$logs/$name.log" 2>&1 9<&- &
    programs[$!]=$name
}

# await WHAT COMMAND...: asks until the command succeeds.
await() {
    local what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 2400 ] || { echo "$what: not within two minutes"; exit 1; }
        sleep 0.05
    done
}

prepare_network() {
    ip link set lo up
    # A bridge without ports carries the node's address: not every kernel has dummy links.
    ip link add node0 type bridge
    ip address add "$node_address/24" dev node0
    ip link set node0 up
    ip route add default via "$node_address" dev node0
    echo 1 >/proc/sys/net/ipv4/ip_forward
}

token() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

make_credentials() {
    cd "$testbed_state"
    local curve=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    openssl req -x509 "${curve[@]}" -keyout ca.key -out ca.crt -subj /CN=aldis-testbed -days 3650
    openssl req -new "${curve[@]}" -keyout server.key -out server.csr -subj /CN=kube-apiserver
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 3650 -extfile <(
        echo "subjectAltName=IP:127.0.0.1,IP:$node_address,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"\
"DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
    )
    openssl genrsa -out accounts.key 2048
    admin_token=$(token) manager_token=$(token) scheduler_token=$(token) node_token=$(token) proxy_token=$(token)
    cat >tokens.csv <<END
$admin_token,admin,admin,"system:masters"
$manager_token,system:kube-controller-manager,manager,
$scheduler_token,system:kube-scheduler,scheduler,
$node_token,system:node:$NODE_NAME,node,"system:nodes"
$proxy_token,system:kube-proxy,proxy,"system:node-proxier"
END
    write_kubeconfig manager.kubeconfig "$server" "$manager_token"
    write_kubeconfig scheduler.kubeconfig "$server" "$scheduler_token"
    write_kubeconfig node.kubeconfig "$server" "$node_token"
    write_kubeconfig proxy.kubeconfig "$server" "$proxy_token"
    write_kubeconfig "$DIR/kubeconfig.internal" "$server" "$admin_token"
}

write_kubeconfig() {
    cat >"$1" <<END
apiVersion: v1
kind: Config
clusters: [{name: aldis, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$testbed_state/ca.crt")}}]
users: [{name: aldis, user: {token: $3}}]
contexts: [{name: aldis, context: {cluster: aldis, user: aldis}}]
current-context: aldis
END
}

# Requests as administrator. create: one object a line on stdin, as "PATH JSON", all over one connection.
api() { curl -sS --fail-with-body --cacert "$testbed_state/ca.crt" -H "Authorization: Bearer $admin_token" "${@:2}" "$server$1"; }
create() {
    local path object
    while read -r path object; do
        printf 'next\nurl = "%s"\nfail-with-body\ncacert = "%s"\nheader = "Authorization: Bearer %s"\nheader = "%s"\ndata-binary = %s\n' \
            "$server$path" "$testbed_state/ca.crt" "$admin_token" 'Content-Type: application/json' \
            "$(jq -Rn --arg object "$object" '$object')"
    done | sed 1d >"$testbed_state/create"
    curl -sS -K "$testbed_state/create" >"$testbed_state/created" || { cat "$testbed_state/created"; return 1; }
}

start_control_plane() {
    launch etcd "$KUBERNETES/etcd" --data-dir "$testbed_state/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380
    make_credentials
    local more=()
    [ -z "$APISERVER_ARGS" ] || mapfile -t more <<<"${APISERVER_ARGS%$'\n'}"
    launch kube-apiserver "$KUBERNETES/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
        --advertise-address "$node_address" --secure-port 6443 --service-cluster-ip-range "$service_cidr" \
        --client-ca-file "$testbed_state/ca.crt" --tls-cert-file "$testbed_state/server.crt" --tls-private-key-file "$testbed_state/server.key" \
        --token-auth-file "$testbed_state/tokens.csv" --authorization-mode Node,RBAC --kubelet-preferred-address-types InternalIP \
        --enable-admission-plugins NodeRestriction --allow-privileged \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$testbed_state/accounts.key" \
        --service-account-signing-key-file "$testbed_state/accounts.key" "${more[@]}"
    # The relay listens in the host's network, which descriptor 9 keeps open.
    nsenter --net=/proc/self/fd/9 "$RELAY/relay" out 0 $$ "$node_address:6443" >"$testbed_state/port" 2>>"$logs/relay.log" 9<&9 &
    programs[$!]=relay
    await "kube-apiserver" api /livez
    # Enough for clients that create thousands of objects: these two are not what a test measures.
    local rate=(--kube-api-qps 2000 --kube-api-burst 4000)
    launch kube-controller-manager "$KUBERNETES/kube-controller-manager" --kubeconfig "$testbed_state/manager.kubeconfig" \
        --authentication-kubeconfig "$testbed_state/manager.kubeconfig" \
        --authorization-kubeconfig "$testbed_state/manager.kubeconfig" \
        --use-service-account-credentials --leader-elect=false --root-ca-file "$testbed_state/ca.crt" \
        --service-account-private-key-file "$testbed_state/accounts.key" \
        --concurrent-statefulset-syncs 50 --pvclaimbinder-sync-period 2s "${rate[@]}"
    launch kube-scheduler "$KUBERNETES/kube-scheduler" --kubeconfig "$testbed_state/scheduler.kubeconfig" \
        --authentication-kubeconfig "$testbed_state/scheduler.kubeconfig" \
        --authorization-kubeconfig "$testbed_state/scheduler.kubeconfig" --leader-elect=false "${rate[@]}"
    await "kube-apiserver" api /readyz
}

# The cluster's names, answered on the node's own address.
start_dns() {
    cat >"$testbed_state/Corefile" <<END
cluster.local:53 {
    bind $node_address
    errors
    ready $node_address:8181
    kubernetes cluster.local {
        kubeconfig $DIR/kubeconfig.internal
        ttl 5
    }
}
END
    launch coredns "$COREDNS" -conf "$testbed_state/Corefile"
    printf 'nameserver %s\nsearch svc.cluster.local cluster.local\noptions ndots:5\n' "$node_address" >"$testbed_state/names"
}

# Hands out the kubeconfig, then lives as long as every program does.
serve() {
    await "the relay" grep -q listening "$testbed_state/port"
    local port
    port=$(sed -n 's/listening //p' "$testbed_state/port")
    await "the default ServiceAccount" api /api/v1/namespaces/default/serviceaccounts/default
    write_kubeconfig "$DIR/kubeconfig" "https://127.0.0.1:$port" "$admin_token"
    touch "$testbed_state/ready"
    exec 9<&-
    local ended=0
    until [ -n "${programs[$ended]-}" ]; do wait -n -p ended || true; done
    echo "${programs[$ended]} ended"
    exit 1
}
