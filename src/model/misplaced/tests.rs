use super::*;

fn outcomes(spec: Value) -> (Value, Vec<(String, Outcome)>) {
    let template = json!({ "spec": spec });
    let (mended, found) = mended(&template);
    (mended["spec"].clone(), found.into_iter().map(|one| (one.path, one.outcome)).collect())
}

fn moved(path: &str) -> (String, Outcome) {
    (path.to_owned(), Outcome::Moved)
}

#[test]
fn what_is_in_its_place_stays() {
    let spec = json!({"hostNetwork": true, "securityContext": {"fsGroup": 1, "runAsUser": 2},
        "containers": [{"name": "a", "securityContext": {"privileged": true, "runAsUser": 3}}, {"name": "b", "securityContext": {}}]});
    assert_eq!(outcomes(spec.clone()), (spec, vec![]));
}

#[test]
fn a_pods_field_leaves_its_container() {
    for group in [json!(350), json!("350"), json!("350:350")] {
        let (spec, found) =
            outcomes(json!({"containers": [{"name": "a", "securityContext": {"fsGroup": group}}]}));
        assert_eq!(
            spec,
            json!({"containers": [{"name": "a"}], "securityContext": {"fsGroup": 350}})
        );
        assert_eq!(found, [moved("spec.containers[0].securityContext.fsGroup")]);
    }
    let (spec, found) =
        outcomes(json!({"containers": [{"name": "a", "securityContext": {"fsGroup": "1:2"}}]}));
    assert_eq!(spec, json!({"containers": [{"name": "a"}]}));
    assert_eq!(found[0].1, Outcome::Dropped("it does not say one group"));
    let two = json!([{"name": "a", "securityContext": {"fsGroup": 1}}, {"name": "b", "securityContext": {"fsGroup": 2}}]);
    assert_eq!(
        outcomes(json!({ "containers": two })).1[0].1,
        Outcome::Dropped("the containers say different things")
    );
    let there = json!({"securityContext": {"fsGroup": 7}, "containers": [{"name": "a", "securityContext": {"fsGroup": 7}}]});
    assert_eq!(outcomes(there).1[0].1, Outcome::There);
}

#[test]
fn a_containers_field_leaves_its_pod() {
    let (spec, found) = outcomes(json!({
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "privileged": false, "runAsNonRoot": true},
        "initContainers": [{"name": "i"}],
        "containers": [{"name": "a", "securityContext": {"capabilities": {"drop": ["KILL"]}}}]}));
    assert_eq!(spec["securityContext"], json!({"runAsNonRoot": true}));
    assert_eq!(
        spec["initContainers"][0]["securityContext"],
        json!({"capabilities": {"drop": ["ALL"]}, "privileged": false})
    );
    assert_eq!(
        spec["containers"][0]["securityContext"],
        json!({"capabilities": {"drop": ["KILL"]}, "privileged": false})
    );
    assert_eq!(
        found,
        [moved("spec.securityContext.capabilities"), moved("spec.securityContext.privileged")]
    );
}

#[test]
fn a_security_context_above_the_template_goes_into_it() {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
        "securityContext": {"runAsUser": 5, "privileged": false},
        "template": {"spec": {"containers": [{"name": "a"}]}}}});
    let pod = template::find(&object).pods.remove(0);
    let (lowered, template, found) = of_pod_in(&object, &pod);
    assert_eq!(lowered["spec"].get("securityContext"), None);
    let container = json!({"name": "a", "securityContext": {"privileged": false}});
    assert_eq!(
        template["spec"],
        json!({"containers": [container], "securityContext": {"runAsUser": 5}})
    );
    let paths: Vec<String> = found.iter().map(|one| one.path(&pod)).collect();
    assert_eq!(paths, ["spec.securityContext", "spec.template.spec.securityContext.privileged"]);
    assert_eq!(
        found[0].mended(&pod),
        "spec.securityContext is no field there: it is moved into spec.template.spec.securityContext"
    );
    let custom = json!({"apiVersion": "example.com/v1", "kind": "Runner", "spec": object["spec"]});
    assert!(of_pod_in(&custom, &pod).2.is_empty());
}

#[test]
fn what_would_grant_something_is_not_moved() {
    let (spec, found) = outcomes(
        json!({"securityContext": {"privileged": true}, "containers": [{"name": "a", "hostNetwork": true}]}),
    );
    assert_eq!(spec, json!({"containers": [{"name": "a"}]}));
    let dropped = Outcome::Dropped("it would grant what it has not granted until now");
    let paths = ["spec.containers[0].hostNetwork", "spec.securityContext.privileged"];
    assert_eq!(found, paths.map(|path| (path.to_owned(), dropped.clone())));
}

#[test]
fn a_field_beside_the_security_context_goes_into_it() {
    let (spec, found) = outcomes(
        json!({"runAsUser": 5, "containers": [{"name": "a", "privileged": false, "runAsNonRoot": true}]}),
    );
    let container =
        json!({"name": "a", "securityContext": {"privileged": false, "runAsNonRoot": true}});
    assert_eq!(spec, json!({"containers": [container], "securityContext": {"runAsUser": 5}}));
    let paths =
        ["spec.containers[0].privileged", "spec.containers[0].runAsNonRoot", "spec.runAsUser"];
    assert_eq!(found, paths.map(moved));
    let (spec, found) = outcomes(
        json!({"podSecurityContext": {"fsGroup": 5}, "containers": [{"name": "a", "containerSecurityContext": {"runAsUser": 6}}]}),
    );
    assert_eq!(spec["securityContext"], json!({"fsGroup": 5}));
    assert_eq!(spec["containers"][0]["securityContext"], json!({"runAsUser": 6}));
    assert_eq!(
        found,
        ["spec.containers[0].containerSecurityContext", "spec.podSecurityContext"].map(moved)
    );
    let template = json!({"securityContext": {"runAsUser": 5}, "spec": {"containers": []}});
    let (mended, found) = mended(&template);
    assert_eq!(*mended, json!({"spec": {"containers": [], "securityContext": {"runAsUser": 5}}}));
    assert_eq!(found[0].path, "securityContext");
}
