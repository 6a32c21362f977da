# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_nonroot_global_optspecs
    string join \n n/namespace= context= kubeconfig= cluster= user= as= as-group= s/server= token= certificate-authority= insecure-skip-tls-verify tls-server-name= request-timeout= v/v= h/help V/version
end

function __fish_kubectl_nonroot_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_nonroot_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_nonroot_using_subcommand
    set -l cmd (__fish_kubectl_nonroot_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -s h -l help -d 'Print help'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "scan" -d 'Find what runs as root, what Pod Security would refuse and what fails'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "explain" -d 'Explain why a container failed: a pod, a log, or the name of an obstacle'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "fix" -d 'Make workloads run as non-root, and prove it'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "prove" -d 'Tell whether workloads work as they are written, compared with copies as root'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "migrate" -d 'Take a whole namespace to a Pod Security level, with every plan proven'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "image" -d 'Show what an image runs as, who owns what in it, and where its bytes are wasted'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "can-i" -d 'Say whether a container may do something, and why: reach a path, execute a file, bind a port'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "trace" -d 'Read a strace: what was refused, and what the program did'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "nodes" -d 'Show what each node allows a non-root pod, and what each namespace would refuse'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_needs_command" -f -a "completion" -d 'Print a completion script for a shell, or for kubectl itself'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l level -d 'Level to judge by' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l pod-security-version -d 'Version of the Pod Security Standards: latest or v1.N' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l only -d 'Show only some workloads' -r -f -a "root\t'A container runs as root'
failing\t'Something fails now'
violating\t'The level forbids something'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s o -l output -d 'Output format' -r -f -a "table\t''
wide\t''
json\t''
yaml\t''
name\t''
sarif\t'For code scanning: SARIF 2.1.0'
html\t'A page to read, share or print'
markdown\t'For a comment or a job\'s summary'
junit\t'For CI servers: a test for each check'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l fail-on -d 'What makes the exit code 1, separated by commas; by default root, what --level forbids and what fails' -r -f -a "root\t'A container runs as root'
baseline\t'The baseline level forbids something'
restricted\t'The restricted level forbids something'
failing\t'Something fails now'
obstacle\t'Something would prevent running as non-root'
stale\t'An entry of the baseline has expired or matches nothing'
never\t'Nothing makes the exit code 1'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s l -l selector -d 'Label selector, such as app=web' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l field-selector -d 'Field selector of pods, such as spec.nodeName=node1' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s f -l filename -d 'Files or directories of manifests instead of a cluster, or - for standard input; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l baseline -d 'File of accepted findings, each with its reason' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l reason -d 'Reason of the entries that --write-baseline adds' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l expires -d 'Last day of the entries that --write-baseline adds or renews, such as 2027-03-31' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s w -l watch -d 'Keep the table up to date until Ctrl-C; without a terminal, print each change'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l exit-zero -d 'Exit with 0 even if something was found'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l plan -d 'Add the plan of fix to each workload, without a trial; reads running pods by exec'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l images -d 'Read the images of the workloads too: who owns what in them, for -o html and -o json'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s R -l recursive -d 'Descend into the directories of -f'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l write-baseline -d 'Write the findings that count into the file of --baseline, and remove entries that match nothing'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s f -l filename -d 'A log to read; - for standard input' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s c -l container -d 'Only this container' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s o -l output -d 'Output format' -r -f -a "text\t''
json\t''
yaml\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s p -l previous -d 'Read the logs of the previous instances of the containers'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l all-remedies -d 'Show every remedy, not only the first three of each obstacle'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l offline -d 'Do not read the images: only a pod that runs tells which remedies apply'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l all -d 'Show everything: also refusals that did not stop the program, and long lists in full'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l exit-zero -d 'Exit with 0 even if something was refused'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s l -l selector -d 'Label selector, such as app=web' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l field-selector -d 'Field selector of pods, such as spec.nodeName=node1' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s f -l filename -d 'Files or directories of manifests instead of a cluster, or - for standard input; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l dry-run -d 'With --apply, only ask the API server whether it would accept the change' -r -f -a "server\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l values -d 'Values of the chart of -f, as helm takes them; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l release -d 'Name that the release of the chart of -f has, instead of the chart\'s' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l level -d 'Level to satisfy' -r -f -a "baseline\t''
restricted\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l run-as -d 'Run as this user, whatever the evidence says' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l without -d 'Leave a remedy out, by its id; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l max-rounds -d 'Most runs of each trial' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l timeout -d 'Seconds for the whole trial, and for the rollout of --apply' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l parallel -d 'Trials at the same time' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l with-volumes -d 'Volume that the copies mount with its data, whose group fsGroup may change; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l command -d 'Command that the copies run instead of the first container\'s command and arguments, quoted as for a shell' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l env -d 'Environment variable of the copies; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l strace-image -d 'Image with a static strace and sh: a copy that dies without a message runs once more under strace' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l check -d 'What a copy must do beside being ready, such as \'http :8080/healthz 200\', \'http POST :8080/upload 2MiB 2xx\', \'tcp :5432\' or \'exec: COMMAND\'; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l check-job -d 'Job or Pod that checks a copy, whose address is in its variable TARGET_IP; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l trial-namespace -d 'Namespace in which the copies run, instead of the workload\'s' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l trace -d 'strace\'s output to plan from, of the first container or of the named one; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s o -l output -d 'Output format; without one, fix asks if there is a terminal' -r -f -a "text\t'What was found, what is proven, and the diff'
json\t'The plan, its proof, and the whole object'
yaml\t'The whole object, ready for kubectl apply; with -f the whole file'
patch\t'A strategic merge patch for kubectl patch'
json6902\t'A JSON patch (RFC 6902) for kubectl patch --type=json'
kustomize\t'A kustomize component with the patch'
policy\t'A MutatingAdmissionPolicy that changes the workload\'s pods, where its template is another\'s'
gitops\t'The part with the patch of the Flux or Argo CD object that the workload comes from'
values\t'Of a Helm chart: the values that give the plan, each with its reason'
post-renderer\t'Of a Helm chart: a kustomization with what the values do not reach'
diff\t'A unified diff; with -f of the file'
markdown\t'A summary for a pull request'
html\t'A page to read, share or print'
ownership-job\t'Jobs that give the files that root wrote on claims to the new user; run them once, as somebody who may be root'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s R -l recursive -d 'Descend into the directories of -f'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l trial -d 'Run a copy of the pod until it works'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s y -l yes -d 'Ask nothing: take the best answers, and start copies with all their side effects'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l apply -d 'Apply the plan to the cluster, watch the rollout, and take it back if the rollout fails'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l force -d 'Apply even if a release, an operator or another tool would take the change back'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s w -l write -d 'Write the plan into the files of -f'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l read-only-root -d 'Make the root file system read-only too, once the pod works without it'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l user-namespace -d 'Allow root in a user namespace (hostUsers: false)'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l no-minimize -d 'Keep remedies that were added on a guess, even if they may not be needed'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l no-control -d 'Run no copy as root to compare with'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l no-requests -d 'Ask the ports of a copy nothing'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l quick -d 'Try no reload and no second start'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l clean -d 'Remove the pods that interrupted trials left behind, and do nothing else'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l images -d 'Read the images too: their users, files and file capabilities'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l offline -d 'Do not ask registries for the users of images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand fix" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s l -l selector -d 'Label selector, such as app=web' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l field-selector -d 'Field selector of pods, such as spec.nodeName=node1' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s f -l filename -d 'Files or directories of manifests instead of a cluster, or - for standard input; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l level -d 'Level that is to admit them' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l check -d 'What a copy must do beside being ready, such as \'http :8080/healthz 200\', \'http POST :8080/upload 2MiB 2xx\', \'tcp :5432\' or \'exec: COMMAND\'; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l check-job -d 'Job or Pod that checks a copy, whose address is in its variable TARGET_IP; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l parallel -d 'Workloads at the same time' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l timeout -d 'Seconds for each workload' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l trial-namespace -d 'Namespace in which the copies run, instead of the workload\'s' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s o -l output -d 'Output format' -r -f -a "table\t''
json\t''
yaml\t''
junit\t'For CI servers: a suite for each workload'
markdown\t'For a comment or a job\'s summary'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s R -l recursive -d 'Descend into the directories of -f'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l no-control -d 'Run no copy as root to compare with'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l no-requests -d 'Ask the ports of a copy nothing'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l quick -d 'Try no reload and no second start'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s y -l yes -d 'Start the copies without asking, with all their side effects'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand prove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l level -d 'Level that it is to enforce' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l out -d 'Write a kustomize component with the plans, the namespace\'s labels and a text for a pull request into this directory' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l accept -d 'Workload that may be left behind and is refused from then on, as job/old; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l canary -d 'Workloads that are restarted under the level one after another, before the rest are' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l state -d 'File that keeps what was found, instead of a ConfigMap of the namespace' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l parallel -d 'Workloads that are proven at the same time' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l timeout -d 'Seconds for each trial, and for each rollout' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s o -l output -d 'Output format' -r -f -a "table\t''
json\t''
yaml\t''
markdown\t'For a pull request'
html\t'A page to read, share or print'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l check -d 'What a copy must do beside being ready, such as \'http :8080/healthz 200\', \'http POST :8080/upload 2MiB 2xx\', \'tcp :5432\' or \'exec: COMMAND\'; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l check-job -d 'Job or Pod that checks a copy, whose address is in its variable TARGET_IP; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l apply -d 'Write the plans that work, and enforce the level where nothing is in the way'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l resume -d 'Go on with what an earlier run began'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l undo -d 'Take back what a migration wrote: templates and labels'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l force -d 'Write to objects of a release or an operator, too, which may take it back, and against a PodDisruptionBudget'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l no-restart -d 'Restart nothing once the level is enforced'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l user-namespace -d 'Let root in a user namespace be the last resort'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s y -l yes -d 'Start the copies without asking, with all their side effects'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l no-control -d 'Run no copy as root to compare with'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l no-requests -d 'Ask the ports of a copy nothing'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l quick -d 'Try no reload and no second start'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l tree -d 'List the files, or those below PATH, with the layer that each came from' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -s o -l output -d 'Output format' -r -f -a "table\t''
json\t''
yaml\t''
html\t'A page with a picture of layers and owners'"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l platform -d 'Platform of a multi-platform image, such as linux/arm64; by default this machine\'s' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l image -d 'Image of an archive or a layout that has several' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand image" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s f -l filename -d 'Manifest instead of a workload of the cluster; needs --image' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s c -l container -d 'Container; by default kubectl\'s default container, or the first' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l uid -d 'Answer for this user, instead of the container\'s own' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l gid -d 'Answer for this group, instead of the pod\'s or the user\'s own' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l groups -d 'Answer for these supplementary groups, instead of those of the pod and the image' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l image -d 'Look at this image instead of a running container: a reference, an archive, or a layout\'s directory' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s o -l output -d 'Output format' -r -f -a "text\t''
json\t''
yaml\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l plain-http -d 'Registry to speak plain HTTP with; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l registry-mirror -d 'Registry to ask instead of the one that a reference names' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l content-store -d 'containerd\'s content store, to read a workload\'s images from on the node itself; such as /var/lib/containerd/io.containerd.content.v1.content' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l image-cache-size -d 'Size of the cache of images, in MiB' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l no-image-cache -d 'Do not cache images'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand can-i" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s f -l filename -d 'strace\'s output to read instead; - for standard input' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s c -l container -d 'Container to trace, instead of the first' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l image -d 'Image that has strace and sh' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l profile -d 'Privileges of strace, by kubectl debug\'s names: general is root with SYS_PTRACE, baseline and restricted are the container\'s own user, sysadmin is privileged [default: restricted, or general if the container is root]' -r -f -a "general\t''
baseline\t''
restricted\t''
sysadmin\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l for -d 'How long, such as 30s or 2m' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s o -l output -d 'Output format' -r -f -a "text\t''
json\t''
yaml\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s y -l yes -d 'Add the ephemeral container without asking'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l all -d 'Show everything: also refusals that did not stop the program, and long lists in full'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l exit-zero -d 'Exit with 0 even if something was refused'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand trace" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s l -l selector -d 'Label selector of nodes, such as node-role.kubernetes.io/worker' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l level -d 'Level that each namespace is judged by' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l pod-security-version -d 'Version of the Pod Security Standards: latest or v1.N' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l probe-image -d 'Image of these pods; it needs sh and cat' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s o -l output -d 'Output format' -r -f -a "text\t''
json\t''
yaml\t''"
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s A -l all-namespaces -d 'All namespaces, as without -n'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l probe -d 'Run two small pods on each node, in the namespace of -n or of the context, and read what the kernel shows them'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s y -l yes -d 'Create the pods without asking'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand nodes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -s n -l namespace -d 'Namespace, instead of the one of the current context' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l context -d 'Context of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l kubeconfig -d 'Kubeconfig file, instead of $KUBECONFIG or ~/.kube/config' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l cluster -d 'Cluster of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l user -d 'User of the kubeconfig' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l as -d 'User to impersonate' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l certificate-authority -d 'Certificate authority of the API server\'s certificate' -r -F
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l tls-server-name -d 'Name that the API server\'s certificate must have' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l request-timeout -d 'How long to wait for one answer, such as 30s or 1m; 0 waits forever' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -s v -l v -d 'Log requests to the cluster on standard error; -v=6 and -v=8 log more' -r
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-nonroot -n "__fish_kubectl_nonroot_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
