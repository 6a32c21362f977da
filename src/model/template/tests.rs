use super::*;

fn found(spec: Value) -> ObjectPods {
    find(
        &json!({"apiVersion": "example.com/v1", "kind": "Runner", "metadata": {"name": "r"}, "spec": spec}),
    )
}

fn pods(spec: Value) -> Vec<(String, String, bool)> {
    let pods = found(spec).pods.into_iter();
    pods.map(|pod| (pod.path.to_string(), pod.label, pod.is_whole)).collect()
}

fn pod(path: &str, label: &str, is_whole: bool) -> (String, String, bool) {
    (path.to_owned(), label.to_owned(), is_whole)
}

fn container(name: &str) -> Value {
    json!({"name": name, "image": "i"})
}

#[test]
fn templates_are_found_at_any_depth() {
    let template = |name: &str| json!({"spec": {"containers": [container(name)]}});
    assert_eq!(
        pods(
            json!({"head": {"template": template("h")}, "workers": [{"template": template("w")}, {"name": "big", "podTemplate": template("x")}]})
        ),
        [
            pod("spec.head.template", "head", true),
            pod("spec.workers[0].template", "workers[0]", true),
            pod("spec.workers[1].podTemplate", "workers[big]", true),
        ]
    );
    assert_eq!(
        pods(json!({"jobs": [{"name": "j", "template": {"spec": {"template": template("w")}}}]})),
        [pod("spec.jobs[0].template.spec.template", "jobs[j]", true)]
    );
    assert_eq!(
        pods(json!({"podSpec": {"containers": [container("a")]}})),
        [pod("spec.podSpec", "", true)]
    );
}

#[test]
fn a_spec_with_fields_of_its_own_is_judged_and_not_whole() {
    let spec =
        json!({"replicas": 2, "securityContext": {"runAsUser": 0}, "containers": [container("a")]});
    assert_eq!(pods(json!({"predictor": spec})), [pod("spec.predictor", "predictor", false)]);
    // An operator adds what is not here.
    let no_image =
        json!({"spec": {"containers": [{"name": "main", "securityContext": {"runAsUser": 0}}]}});
    assert_eq!(pods(json!({"podTemplate": no_image})), [pod("spec.podTemplate", "", false)]);
    let only_init = json!({"spec": {"initContainers": [{"name": "a", "securityContext": {"privileged": true}}]}});
    assert_eq!(
        pods(json!({"sets": [{"name": "default", "podTemplate": only_init}]})),
        [pod("spec.sets[0].podTemplate", "sets[default]", false)]
    );
}

#[test]
fn a_step_is_a_pod_of_its_parts() {
    let object = json!({"apiVersion": "example.com/v1", "kind": "Flow", "spec": {
    "securityContext": {"runAsUser": 0},
    "templates": [
        {"name": "all", "steps": [[{"name": "a", "template": "print"}]]},
        {"name": "print", "container": {"image": "i", "securityContext": {"privileged": true}}, "sidecars": [container("log")]},
    ]}});
    let ObjectPods { pods, fragments } = find(&object);
    assert_eq!((pods.len(), fragments), (1, vec![]));
    assert_eq!(
        (pods[0].path.to_string().as_str(), pods[0].label.as_str()),
        ("spec.templates[1]", "templates[print]")
    );
    let spec = json!({"securityContext": {"runAsUser": 0}, "containers": [
        {"name": "main", "image": "i", "securityContext": {"privileged": true}}, container("log")]});
    assert_eq!(*pods[0].template(&object), json!({ "spec": spec }));
    for (field, place) in [
        (
            "spec.containers[0].securityContext.privileged",
            "spec.templates[1].container.securityContext.privileged",
        ),
        ("spec.containers[1].image", "spec.templates[1].sidecars[0].image"),
        ("spec.securityContext.runAsUser", "spec.securityContext.runAsUser"),
    ] {
        assert_eq!(pods[0].place(field), place);
    }
}

#[test]
fn steps_take_what_their_template_has() {
    let object = json!({"apiVersion": "example.com/v1", "kind": "Task", "spec": {
        "stepTemplate": {"securityContext": {"runAsNonRoot": true}},
        "steps": [{"image": "i", "securityContext": {"runAsUser": 5}}, {"name": "x", "ref": {"name": "y"}}]}});
    let ObjectPods { pods, .. } = find(&object);
    let template = pods[0].template(&object);
    let expected = json!([{"name": "steps[0]", "image": "i", "securityContext": {"runAsNonRoot": true, "runAsUser": 5}}]);
    assert_eq!(template["spec"]["containers"], expected);
}

#[test]
fn what_only_tells_of_pods_is_named() {
    let fragments = |spec: Value| -> Vec<(String, bool)> {
        found(spec)
            .fragments
            .into_iter()
            .map(|fragment| (fragment.path.to_string(), fragment.is_root))
            .collect()
    };
    let one = |path: &str, is_root: bool| vec![(path.to_owned(), is_root)];
    let context = json!({"runAsUser": 0, "fsGroup": 0});
    assert_eq!(
        fragments(
            json!({"kafka": {"replicas": 3, "template": {"pod": {"securityContext": context}}}})
        ),
        one("spec.kafka.template.pod.securityContext", true)
    );
    let unconfined = found(json!({"seccompProfile": {"type": "Unconfined"}})).fragments;
    assert_eq!(
        (unconfined[0].path.to_string().as_str(), unconfined[0].is_forbidden),
        ("spec.seccompProfile", true)
    );
    assert_eq!(fragments(json!({"databaseRunAsUser": 0})), one("spec.databaseRunAsUser", true));
    assert_eq!(
        fragments(json!({"template": {"spec": {"domain": {}}}})),
        one("spec.template", false)
    );
    assert_eq!(fragments(json!({"instances": 3})), one("spec.instances", false));
    assert_eq!(
        fragments(json!({"driver": {"image": "spark:3", "cores": 1}})),
        one("spec.driver.image", false)
    );
    assert_eq!(
        fragments(json!({"web": {"resources": {"limits": {"cpu": 1}}}})),
        one("spec.web.resources", false)
    );
    assert_eq!(
        fragments(json!({"host": "a", "port": 80, "image": "https://example.com/logo.png"})),
        vec![]
    );
}

#[test]
fn patterns_and_schemas_are_no_pods() {
    let pattern = json!({"spec": {"containers": [{"name": "*", "image": "*:*"}]}});
    assert_eq!(pods(json!({"rules": [{"validate": {"pattern": pattern}}]})), []);
    let condition = json!({"spec": {"containers": [{"(name)": "*", "securityContext": {"privileged": "false"}}]}});
    assert_eq!(pods(json!({"rules": [{"mutate": condition}]})), []);
    let named = json!({"spec": {"containers": [container("a")]}});
    for field in ["anyPattern", "patchStrategicMerge"] {
        assert_eq!(
            found(json!({"rules": [{"mutate": {field: {"spec": {"template": named}}}}]})),
            ObjectPods::default()
        );
        assert_eq!(found(json!({"rules": [{"mutate": {field: [named]}}]})), ObjectPods::default());
    }
    assert_eq!(pods(json!({"dispatcher": named})).len(), 1);
    assert_eq!(pods(json!({"containers": [{"name": "a", "usage": {"cpu": "1"}}]})), []);
    let schema = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {
        "properties": {"securityContext": {"type": "object"}, "replicas": 1}}});
    assert_eq!(find(&schema), ObjectPods::default());
}

#[test]
fn whole_objects_in_another_keep_their_own_places() {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [container("a")]}}}});
    let template = json!({"apiVersion": "template.example.com/v1", "kind": "Template", "objects": [deployment]});
    let ObjectPods { pods, .. } = find(&template);
    assert_eq!(
        (pods[0].path.to_string().as_str(), pods[0].label.as_str()),
        ("objects[0].spec.template", "objects[web]")
    );
}

#[test]
fn a_path_is_read_as_it_is_shown() {
    for text in ["spec.containers[0].image", "spec", "objects[1].spec.template", ""] {
        assert_eq!(FieldPath::parse(text).to_string(), text);
    }
    let mut object = json!({"a": [{"b": 1, "c": 2}]});
    assert_eq!(FieldPath::parse("a[0].b").remove(&mut object), Some(json!(1)));
    assert_eq!(object, json!({"a": [{"c": 2}]}));
    assert_eq!(FieldPath::parse("a[0]").remove(&mut object), None);
}

#[test]
fn what_is_put_back_is_where_it_was() {
    let object = json!({"apiVersion": "example.com/v1", "kind": "Runner", "spec": {"podSpec": {"containers": [container("a")]}}});
    let pod = find(&object).pods.remove(0);
    let mut template = pod.template(&object).into_owned();
    template["spec"]["hostUsers"] = json!(false);
    let mut changed = object.clone();
    pod.put(&mut changed, template);
    assert_eq!(
        changed["spec"]["podSpec"],
        json!({"containers": [container("a")], "hostUsers": false})
    );
}
