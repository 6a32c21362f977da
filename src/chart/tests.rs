//! The search against renderers that are functions: values in, objects out.

use serde_json::{Value, json};

use super::{ChartSearch, FoundValues, PlannedObject, RenderFailure, merged, search};
use crate::model::chart::ChartPart;

/// A Deployment of one container with these fields in its pod and its container.
fn deployment(name: &str, pod: Value, container: Value) -> Value {
    let container = merged(json!({"name": name, "image": "i"}), &container);
    let pod = merged(pod, &json!({"containers": [container]}));
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"template": {"spec": pod}}})
}

/// Searches a chart with these values and templates; `render` gets the values in force.
fn found(
    (values, schema, templates): (Value, Option<Value>, &[&str]),
    after: &dyn Fn(&Value) -> Value,
    render: &dyn Fn(&Value) -> Result<Vec<Value>, String>,
) -> FoundValues {
    let part = ChartPart {
        values: values.clone(),
        schema,
        templates: templates.iter().map(|text| (*text).to_owned()).collect(),
        ..ChartPart::default()
    };
    let before = render(&values).expect("it renders");
    let planned: Vec<PlannedObject> = before
        .into_iter()
        .map(|before| PlannedObject { after: after(&before), before })
        .filter(|one| one.before != one.after)
        .collect();
    let chart =
        ChartSearch { parts: &[part], values: &values, planned: &planned, may_repeat: &|_| true };
    let mut run = |overrides: &Value| {
        render(&merged(values.clone(), overrides)).map_err(RenderFailure::Refused)
    };
    let found = search(&chart, &mut run).expect("it is searched");
    // What the search says is what the chart renders, but for what changes by itself.
    let rendered = render(&merged(values.clone(), &found.overrides)).expect("it renders");
    let without = |object: &Value| {
        let mut object = object.clone();
        spec(&mut object)["hostname"] = Value::Null;
        object
    };
    for (number, one) in found.objects.iter().enumerate() {
        let is_there = rendered.iter().any(|object| without(object) == without(&one.before));
        assert!(is_there || found.renamed.contains_key(&number), "{:#}", one.before);
    }
    found
}

fn spec(object: &mut Value) -> &mut Value {
    &mut object["spec"]["template"]["spec"]
}

/// A plan as a level asks for it.
fn restricted(before: &Value) -> Value {
    let mut after = before.clone();
    if before["kind"] == "Secret" {
        return after;
    }
    let pod = spec(&mut after);
    pod["securityContext"] = merged(
        pod["securityContext"].clone(),
        &json!({"runAsUser": 101, "seccompProfile": {"type": "RuntimeDefault"}}),
    );
    pod["containers"][0]["securityContext"] = json!({"capabilities": {"drop": ["ALL"]}});
    after
}

#[test]
fn what_keys_reach_is_set_and_the_rest_is_left() {
    let values = json!({"podSecurityContext": {"fsGroup": 1}, "web": {"image": "i"}});
    let templates =
        ["{{ .Values.podSecurityContext }} {{ with .Values.web }}{{ .securityContext }}"];
    let found = found((values, None, &templates), &restricted, &|values| {
        let web = deployment(
            "web",
            json!({"securityContext": values["podSecurityContext"]}),
            json!({"securityContext": values["web"]["securityContext"]}),
        );
        Ok(vec![web, deployment("fixed", json!({}), json!({}))])
    });
    assert_eq!(
        found.overrides,
        json!({
            "podSecurityContext": {"runAsUser": 101, "seccompProfile": {"type": "RuntimeDefault"}},
            "web": {"securityContext": {"capabilities": {"drop": ["ALL"]}}},
        })
    );
    assert_eq!((found.wanted, found.missing), (6, 3));
    let left: Vec<bool> = found.objects.iter().map(|one| one.before == one.after).collect();
    assert_eq!(left, [true, false]);
}

#[test]
fn a_key_of_two_is_set_where_both_agree() {
    let values = json!({"securityContext": {}});
    let after = |before: &Value| match before["metadata"]["name"] == "kept" {
        true => before.clone(),
        false => restricted(before),
    };
    for other in ["kept", "planned"] {
        let found = found((values.clone(), None, &[]), &after, &|values| {
            let context = json!({"securityContext": values["securityContext"]});
            let one = deployment("web", json!({}), context.clone());
            Ok(vec![one, deployment(other, json!({}), context)])
        });
        assert_eq!(found.set.len(), usize::from(other == "planned"), "{other}");
    }
}

#[test]
fn a_schema_or_a_template_that_refuses_a_key_costs_that_key_alone() {
    let values = json!({"securityContext": {}, "strict": {"securityContext": {}}, "image": "x"});
    let schema = json!({"additionalProperties": false, "properties": {"securityContext": {}, "strict": {}, "image": {}}});
    let templates = ["{{ .Values.unknown.securityContext }}{{ .Values.extraEnv }}"];
    let found = found((values, Some(schema), &templates), &restricted, &|values| {
        if values["strict"]["securityContext"] != json!({}) || values["unknown"] != Value::Null {
            return Err("it is refused".to_owned());
        }
        let container = json!({"securityContext": values["securityContext"]});
        Ok(vec![deployment("web", json!({}), container)])
    });
    assert_eq!(found.overrides, json!({"securityContext": {"capabilities": {"drop": ["ALL"]}}}));
}

#[test]
fn lists_keep_what_they_have_and_mounts_come_with_their_volumes() {
    let after = |before: &Value| {
        let mut after = before.clone();
        let pod = spec(&mut after);
        pod["volumes"] = json!([{"name": "old", "emptyDir": {}}, {"name": "run", "emptyDir": {}}]);
        pod["containers"][0]["volumeMounts"] = json!([{"name": "run", "mountPath": "/run"}]);
        pod["containers"][0]["env"] = json!([{"name": "HOME", "value": "/run"}]);
        after
    };
    let old = json!([{"name": "old", "emptyDir": {}}]);
    let values = json!({"extraVolumes": old, "extraVolumeMounts": [], "env": {"A": "b"}});
    let render = |has_volumes: bool| {
        move |values: &Value| {
            let volumes = if has_volumes { &values["extraVolumes"] } else { &json!([]) };
            let mounts = &values["extraVolumeMounts"];
            let set = values["env"].as_object().into_iter().flatten();
            let set: Value = set
                .filter(|(name, _)| *name != "A")
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            // As `with` does: no list where there is nothing in it.
            let container = match *mounts == json!([]) {
                true => json!({"env": set}),
                false => json!({"volumeMounts": mounts, "env": set}),
            };
            Ok(vec![deployment("web", json!({"volumes": volumes}), container)])
        }
    };
    let all = found((values.clone(), None, &[]), &after, &render(true));
    assert_eq!(all.missing, 0);
    assert_eq!(
        all.overrides,
        json!({
            "env": {"HOME": "/run"},
            "extraVolumeMounts": [{"name": "run", "mountPath": "/run"}],
            "extraVolumes": [{"name": "old", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
        })
    );
    let some = found((values, None, &[]), &after, &render(false));
    assert_eq!(some.overrides, json!({"env": {"HOME": "/run"}}), "no mount without its volume");
}

#[test]
fn what_is_switched_off_is_switched_on_without_what_it_brings() {
    let values = json!({"securityContext": {"enabled": false, "fsGroup": 5, "runAsUser": 9}});
    let found = found((values, None, &[]), &restricted, &|values| {
        let mut context = values["securityContext"].clone();
        let is_on = context["enabled"] == true;
        context.as_object_mut().expect("a map").remove("enabled");
        let pod = if is_on { json!({"securityContext": context}) } else { json!({}) };
        Ok(vec![deployment("web", pod, json!({}))])
    });
    assert_eq!(
        found.overrides["securityContext"],
        json!({"enabled": true, "fsGroup": null, "runAsUser": 101, "seccompProfile": {"type": "RuntimeDefault"}})
    );
    assert_eq!(found.missing, 1, "the container's is not reached");
}

#[test]
fn fields_that_a_template_has_only_without_a_value_are_given_too() {
    let values = json!({"securityContext": {}});
    let found = found((values, None, &[]), &restricted, &|values| {
        let given = &values["securityContext"];
        let own = json!({"runAsNonRoot": true, "fsGroup": 7});
        let context = if *given == json!({}) { &own } else { given };
        Ok(vec![deployment("web", json!({"securityContext": context}), json!({}))])
    });
    assert_eq!(
        found.overrides["securityContext"],
        json!({"runAsNonRoot": true, "fsGroup": 7, "runAsUser": 101, "seccompProfile": {"type": "RuntimeDefault"}})
    );
}

#[test]
fn what_changes_by_itself_is_no_difference() {
    let count = std::cell::Cell::new(0);
    let values = json!({"securityContext": {}});
    let found = found((values, None, &[]), &restricted, &|values| {
        count.set(count.get() + 1);
        let pod = json!({"securityContext": values["securityContext"], "hostname": format!("h{}", count.get())});
        let mut other = deployment(&format!("test-{}", count.get()), json!({}), json!({}));
        other["kind"] = json!("Job");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": count.get()}});
        let web = deployment("web", pod, json!({}));
        Ok(vec![web, secret, other])
    });
    assert_eq!(found.set.len(), 2, "{:?}", found.set);
    let ends = found.renamed.values().collect::<Vec<_>>();
    assert_eq!(ends, [&("test-".to_owned(), String::new())]);
}
