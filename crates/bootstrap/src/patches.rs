//! Patches of components' configurations, applied (RFC 7396).

use serde_json::{Map, Value};

use crate::Patches;

const FLAGS: &str = "extraArgs";

/// Applies patches, one after the other.
pub(crate) fn merge<'a>(document: &mut Value, patches: impl IntoIterator<Item = &'a Value>) {
    for patch in patches {
        json_patch::merge(document, patch);
    }
}

/// Applies patches of `ClusterConfiguration`: flags, which are lists of `name` and `value` in both, are merged by name.
pub(crate) fn merge_cluster(document: &mut Value, patches: &[Value]) {
    for patch in patches {
        let mut patch = patch.clone();
        for component in Patches::COMPONENTS {
            let flags =
                patch.pointer_mut(component).and_then(Value::as_object_mut).and_then(|fields| fields.remove(FLAGS));
            let Some(Value::Array(flags)) = flags else { continue };
            let component = made(document, component);
            let mut merged = match component.remove(FLAGS) {
                Some(Value::Array(merged)) => merged,
                _ => Vec::new(),
            };
            merged.retain(|known| flags.iter().all(|flag| flag["name"] != known["name"]));
            merged.extend(flags);
            component.insert(FLAGS.to_owned(), merged.into());
        }
        json_patch::merge(document, &patch);
    }
}

/// The object at a pointer of an object; an empty one where there was nothing.
fn made<'a>(document: &'a mut Value, pointer: &str) -> &'a mut Map<String, Value> {
    let place = pointer.split('/').skip(1).fold(document, |place, name| &mut place[name]);
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().expect("it is one now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_are_merged_by_name_and_everything_else_as_json() {
        let mut document = json!({
            "apiServer": {"certSANs": ["localhost"]},
            "controllerManager": {"extraArgs": [{"name": "leader-elect", "value": "false"}, {"name": "v", "value": "2"}]},
        });
        let patches = [
            json!({
                "apiServer": {"extraArgs": [{"name": "audit-log-path", "value": "-"}]},
                "controllerManager": {"extraArgs": [{"name": "v", "value": "4"}], "extraVolumes": [{"name": "a"}]},
            }),
            json!({"etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": "1"}]}}, "dns": {"imageTag": "v2"}}),
            json!({"controllerManager": {"extraVolumes": null}}),
        ];
        merge_cluster(&mut document, &patches);
        let expected = json!({
            "apiServer": {"certSANs": ["localhost"], "extraArgs": [{"name": "audit-log-path", "value": "-"}]},
            "controllerManager": {"extraArgs": [{"name": "leader-elect", "value": "false"}, {"name": "v", "value": "4"}]},
            "etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": "1"}]}},
            "dns": {"imageTag": "v2"},
        });
        assert_eq!(document, expected);
    }
}
