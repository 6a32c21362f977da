//! The transitions of a search, without a cluster: what is told, and what it wants next.

use serde_json::json;

use super::*;
use crate::model::behaviour::Behaviour;
use crate::model::filesystem::{FileType, Inode};
use crate::model::inside::{Inside, Process};
use crate::model::obstacle::{Category, Errno, Operation};

fn pod() -> Value {
    json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web"}]}})
}

fn directory(path: &str, mode: u16, uid: u32, gid: u32) -> PathStat {
    PathStat::new(path, Inode::directory(mode, uid, gid))
}

fn file(path: &str, mode: u16, uid: u32, gid: u32) -> PathStat {
    PathStat::new(path, Inode::file(mode, uid, gid))
}

fn refused(operation: Operation, category: Category, path: Option<&str>, fatal: bool) -> Obstacle {
    let container = Some("web".to_owned());
    Obstacle {
        container,
        path: path.map(str::to_owned),
        fatal,
        ..Obstacle::new(operation, category)
    }
}

fn mkdir(path: &str) -> Obstacle {
    refused(Operation::Mkdir, Category::UnwritablePath, Some(path), true)
}

/// An image with a shell, whose directories are root's and empty.
fn observed() -> Observations {
    let images = BTreeMap::from([("web".to_owned(), Inside::default())]);
    Observations { looked_into_images: true, images, ..Observations::default() }
}

/// Answers as an image would whose directories are root's.
fn answer(question: Question) -> Learned {
    match question {
        Question::Look { container, paths } => {
            let steps = paths.iter().flat_map(|path| {
                let ends =
                    path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
                ends.map(|at| directory(&path[..at], 0o755, 0, 0)).collect::<Vec<_>>()
            });
            Learned::Look { stats: steps.collect(), container, paths }
        }
        Question::Configuration { container, words } => {
            Learned::Configuration { container, words, found: SearchHits::default() }
        }
        Question::Program { container, .. } => {
            Learned::Program { container, program: Program::default() }
        }
        Question::Usage { container, paths } => {
            Learned::Usage { container, paths, used: Vec::new() }
        }
    }
}

/// Drives a search with what its runs show, one after another, and tells what was added after each;
/// the last outcome counts for all further runs.
fn driven<'a>(
    object: &'a Value,
    options: SearchOptions,
    input: SearchInput<'a>,
    outcomes: &[Outcome],
) -> (Search<'a>, Vec<Attempt>) {
    let mut search = Search::new(object, options, input).expect("a pod template");
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut asked: Vec<Question> = Vec::new();
    loop {
        match search.next() {
            Next::Learn(questions) => {
                for question in &questions {
                    assert!(!asked.contains(question), "asked twice: {question:?}");
                    asked.push(question.clone());
                }
                search.learned(questions.into_iter().map(answer).collect());
            }
            Next::Run(attempt) => {
                let outcome =
                    outcomes.get(attempts.len()).or(outcomes.last()).expect("an outcome").clone();
                attempts.push(*attempt);
                assert!(attempts.len() < 50, "it does not end");
                search.ran(outcome);
            }
            Next::Done => return (search, attempts),
        }
    }
}

fn trial(
    options: SearchOptions,
    outcomes: &[Outcome],
) -> (Vec<Vec<String>>, bool, Vec<&'static str>) {
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let (mut search, _) = driven(&object, options, input, outcomes);
    let ready = search.is_proven();
    let remedies = search.plan(None).steps.iter().map(|step| step.remedy).collect();
    let (rounds, ..) = search.proof();
    (rounds.into_iter().map(|round| round.added).collect(), ready, remedies)
}

fn works() -> Outcome {
    Outcome::new(End::Works, Vec::new())
}

fn died(obstacles: Vec<Obstacle>) -> Outcome {
    Outcome::new(End::Died, obstacles)
}

#[test]
fn what_works_is_done() {
    assert_eq!(trial(SearchOptions::default(), &[works()]), (vec![vec![]], true, vec![]));
}

fn differs(obstacles: Vec<Obstacle>) -> Outcome {
    Outcome::new(End::Differs, obstacles)
}

fn lost() -> Obstacle {
    refused(Operation::Other, Category::LostFunction, None, true)
}

#[test]
fn what_differs_from_root_is_remedied_as_a_crash_is() {
    let refusal = refused(Operation::Create, Category::UnwritablePath, Some("/srv/up/x"), false);
    let (added, proven, remedies) =
        trial(SearchOptions::default(), &[differs(vec![lost(), refusal]), works()]);
    assert_eq!((proven, remedies), (true, vec!["empty-dir"]));
    assert_eq!((added[0].len(), added[1].len()), (1, 0));
}

#[test]
fn what_is_ready_and_stays_different_is_not_proven_and_has_the_plan_that_made_it_ready() {
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let outcomes = [died(vec![mkdir("/var/cache/web/tmp")]), differs(vec![lost()])];
    let (mut search, attempts) = driven(&object, SearchOptions::default(), input, &outcomes);
    assert!(!search.is_proven());
    let remedies: Vec<_> = search.plan(None).steps.iter().map(|step| step.remedy).collect();
    assert_eq!(remedies, ["empty-dir"], "guesses that changed nothing are gone");
    assert!(attempts.len() > 2, "something was guessed");
    let (_, remaining, _) = search.proof();
    assert_eq!(remaining, [lost()]);
}

#[test]
fn root_without_capabilities_does_not_do_what_wants_to_become_another_user() {
    let object = pod();
    let proven = |obstacle: Obstacle| {
        let input = || SearchInput { observed: observed(), ..SearchInput::default() };
        let mut outcomes = vec![died(vec![obstacle])];
        let (_, attempts) = driven(&object, SearchOptions::default(), input(), &outcomes);
        let keeps_root =
            |attempt: &Attempt| attempt.object.pointer("/spec/hostUsers") == Some(&json!(false));
        let first = attempts.iter().position(keeps_root).expect("the last resort");
        let without = outcomes[0].clone();
        outcomes = vec![without.clone(); first];
        let seen = Used { is_shown: true, ..Used::default() };
        outcomes.extend([Outcome { seen, ..works() }, without]);
        let (mut search, _) = driven(&object, SearchOptions::default(), input(), &outcomes);
        assert!(search.is_ready());
        let remaining = search.proof().1.into_iter().map(|one| one.cause).collect::<String>();
        (search.is_proven(), remaining)
    };
    let (is_proven, remaining) =
        proven(refused(Operation::Setuid, Category::IdentitySwitch, None, true));
    assert!(!is_proven && remaining.contains("another user"), "{is_proven} {remaining}");
    // Who compares its uid with 0 is content.
    assert!(proven(refused(Operation::Other, Category::IdentitySwitch, None, true)).0);
    assert!(proven(refused(Operation::Open, Category::UnreadableFile, None, true)).0);
}

#[test]
fn what_a_run_showed_that_was_not_taken_is_not_told_of_the_plan() {
    let seen = |note: &str| Used { notes: vec![note.to_owned()], ..Used::default() };
    let worse = Outcome { seen: seen("of a run without"), ..differs(vec![lost()]) };
    let good = Outcome { seen: seen("of the plan"), ..works() };
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let outcomes = [died(Vec::new()), good, worse];
    let (mut search, attempts) = driven(&object, SearchOptions::default(), input, &outcomes);
    assert!(attempts.len() > 2 && search.is_proven(), "guesses were left out");
    assert_eq!(search.proof().2, seen("of the plan"));
}

#[test]
fn what_the_copy_as_root_did_counts_as_what_the_running_pod_does() {
    let wrote = Inside { changed: vec![file("/srv/up/x", 0o644, 0, 0)], ..Inside::default() };
    let control = Behaviour {
        containers: BTreeMap::from([("web".to_owned(), wrote)]),
        refusals: vec![mkdir("/nowhere")],
        ..Behaviour::default()
    };
    let users = BTreeMap::from([("web".to_owned(), (0, 0))]);
    let mut seen = observed();
    seen.take(&control, &users);
    let object = pod();
    let input = SearchInput { observed: seen, ..SearchInput::default() };
    let refusal = Outcome::new(End::Works, vec![mkdir("/nowhere")]);
    let (mut search, _) = driven(&object, SearchOptions::default(), input, &[refusal]);
    let plan = search.plan(None);
    assert_eq!(plan.steps.iter().map(|step| step.remedy).collect::<Vec<_>>(), ["empty-dir"]);
    assert_eq!(plan.basis[0], Basis::Control);
    let (_, remaining, _) = search.proof();
    assert_eq!(remaining, [], "root is refused it as well");
}

#[test]
fn a_key_that_only_root_may_read_is_opened_before_the_first_run() {
    let with_mode = |mode: u32| {
        json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {
            "volumes": [{"name": "key", "secret": {"secretName": "key", "defaultMode": mode}}],
            "containers": [{"name": "web", "image": "web", "volumeMounts": [{"name": "key", "mountPath": "/key"}]}],
        }})
    };
    let remedies = |mode: u32| -> Vec<&'static str> {
        let object = with_mode(mode);
        let spec = PodSpec::deserialize(&object["spec"]).expect("a spec");
        let mounts = mounts(&object, &spec, "web", "shop", None, &Default::default());
        let mounts = mounts.into_iter().map(|(mount, _)| mount).collect();
        let mounts = BTreeMap::from([("web".to_owned(), mounts)]);
        let input = SearchInput {
            observed: Observations { mounts, ..observed() },
            ..SearchInput::default()
        };
        let (search, attempts) = driven(&object, SearchOptions::default(), input, &[works()]);
        assert_eq!(attempts.len(), 1);
        search.plan(None).steps.iter().map(|step| step.remedy).collect()
    };
    assert_eq!(remedies(0o400), ["fs-group"]);
    assert_eq!(remedies(0o444), [""; 0]);
}

#[test]
fn what_is_refused_is_remedied_and_run_again() {
    let (added, ready, remedies) =
        trial(SearchOptions::default(), &[died(vec![mkdir("/var/cache/web/tmp")]), works()]);
    assert_eq!((ready, remedies), (true, vec!["empty-dir"]));
    assert_eq!((added.len(), added[0].len(), added[1].len()), (2, 1, 0));
}

#[test]
fn a_remedy_that_did_not_help_gives_way_to_the_next() {
    let stubborn = died(vec![mkdir("/var/cache/web/tmp")]);
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let options = SearchOptions { max_rounds: 4, ..SearchOptions::default() };
    let (_, attempts) = driven(&object, options, input, &[stubborn]);
    let objects: Vec<String> = attempts.iter().map(|attempt| attempt.object.to_string()).collect();
    let different: BTreeSet<&String> = objects.iter().collect();
    assert_eq!((objects.len(), different.len()), (4, 4), "nothing is tried twice");
}

#[test]
fn silence_escalates_in_order() {
    let not_ready = Outcome::new(End::NotReady, Vec::new());
    let options = SearchOptions {
        strace: true,
        user_namespace: false,
        max_rounds: 6,
        ..SearchOptions::default()
    };
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let (mut search, attempts) = driven(&object, options, input, &[not_ready, died(Vec::new())]);
    let (rounds, ..) = search.proof();
    let said: Vec<String> = rounds.into_iter().map(|round| round.added.join(" ")).collect();
    assert!(said[0].contains("wait for 60 seconds"), "{said:?}");
    assert!(
        attempts[1].startup_time == Duration::from_secs(60) && attempts[2].startup_time.is_zero()
    );
    assert!(said[1].contains("under strace"), "{said:?}");
    assert_eq!(attempts[2].strace.as_deref(), Some("web"));
    assert!(attempts[3].strace.is_none(), "once");
    assert!(
        said[2].contains("HOME") || said[2].contains("writable"),
        "everything at once: {said:?}"
    );
    // What logs to a volume is read, from then on in every run.
    assert!(said[3].contains("files that it logs to"), "{said:?}");
    assert!(
        attempts[3].read_log_files_of.is_none()
            && attempts[4].read_log_files_of.as_deref() == Some("web")
    );
}

#[test]
fn a_pod_that_was_slow_as_root_is_not_waited_for_twice() {
    let object = pod();
    let startup_time = Duration::from_secs(90);
    let input = SearchInput { observed: observed(), startup_time, ..SearchInput::default() };
    let options = SearchOptions { max_rounds: 2, ..SearchOptions::default() };
    let (mut search, attempts) =
        driven(&object, options, input, &[Outcome::new(End::NotReady, Vec::new())]);
    assert!(attempts.iter().all(|attempt| attempt.startup_time == startup_time));
    assert!(!search.proof().0[0].added.join(" ").contains("wait"));
}

#[test]
fn guesses_are_left_out_again_where_it_works_without() {
    let worse = died(vec![mkdir("/srv/x/y")]);
    // It dies in silence, works with all guesses, and needs only the first one.
    let outcomes = [died(Vec::new()), works(), worse.clone(), works(), worse];
    let (added, ready, remedies) = trial(SearchOptions::default(), &outcomes);
    assert!(ready);
    let left_out =
        |round: &Vec<String>| round.iter().filter(|line| line.starts_with("left out")).count();
    let left_out: Vec<usize> = added.iter().map(left_out).collect();
    assert_eq!(left_out, [0, 0, 3, 2, 1], "all, and then by halves: {added:?}");
    assert_eq!(remedies, ["sysctl"], "{added:?}");
    // Where none is needed, one run tells so.
    let (added, _, remedies) =
        trial(SearchOptions::default(), &[died(Vec::new()), works(), works()]);
    assert_eq!((added.len(), remedies.len()), (3, 0), "{added:?}");
    let (_, _, all) = trial(
        SearchOptions { minimize: false, ..SearchOptions::default() },
        &[died(Vec::new()), works()],
    );
    assert!(all.len() > remedies.len());
}

#[test]
fn a_refusal_that_stops_nothing_is_remedied_and_what_makes_it_worse_goes_again() {
    let complains = Outcome::new(
        End::Works,
        vec![refused(Operation::Create, Category::UnwritablePath, Some("/var/log/web/x"), false)],
    );
    let (added, ready, remedies) = trial(SearchOptions::default(), &[complains.clone(), works()]);
    assert_eq!((added.len(), ready, remedies.len()), (2, true, 1));
    let (added, ready, remedies) =
        trial(SearchOptions::default(), &[complains.clone(), died(vec![mkdir("/srv/x")])]);
    assert_eq!(
        (added.len(), ready, remedies.len()),
        (2, true, 0),
        "what worked before is the plan"
    );
    // It is not polished for ever.
    let (added, ready, _) = trial(SearchOptions::default(), &[complains]);
    assert!(ready && added.len() <= MAX_POLISH + 1, "{added:?}");
}

#[test]
fn the_root_file_system_becomes_read_only_once_it_works() {
    let options = SearchOptions { read_only_root: true, ..SearchOptions::default() };
    let object = pod();
    let input = || SearchInput { observed: observed(), ..SearchInput::default() };
    let (search, attempts) = driven(&object, options.clone(), input(), &[works()]);
    let read_only =
        |attempt: &Attempt| attempt.object.to_string().contains("readOnlyRootFilesystem");
    assert_eq!(attempts.iter().map(read_only).collect::<Vec<_>>(), [false, true]);
    assert!(search.is_proven());
    // What was asked for counts as proven only if all of it is; what worked before stays the plan.
    let erofs = died(vec![Obstacle {
        errno: Some(Errno::Erofs),
        ..refused(Operation::Other, Category::ReadOnlyRootfs, None, true)
    }]);
    let (search, _) = driven(&object, options, input(), &[works(), erofs]);
    assert!(
        !search.is_proven()
            && !search.plan(None).object.to_string().contains("readOnlyRootFilesystem")
    );
}

#[test]
fn a_user_that_nobody_knew_is_learned_from_the_run_and_not_written() {
    let object = json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {
        "securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web"}]}});
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let told = Outcome { users: vec![("web".to_owned(), (4242, 4242))], ..works() };
    let (search, _) = driven(&object, SearchOptions::default(), input, &[told]);
    let plan = search.plan(None);
    assert_eq!(
        (plan.identities[0].1.assignment, plan.identities[0].1.uid),
        (Assignment::Kept, 4242)
    );
    assert_eq!(plan.object.pointer("/spec/securityContext/runAsUser"), None);
    // Where the image is root's after all, one is chosen.
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let root = Outcome::new(
        End::NotStarted,
        vec![refused(Operation::ImageUser, Category::ImageRunsAsRoot, None, true)],
    );
    let (search, _) = driven(&object, SearchOptions::default(), input, &[root, works()]);
    assert_eq!(
        search.plan(None).object.pointer("/spec/securityContext/runAsUser"),
        Some(&1000.into())
    );
}

#[test]
fn the_bounds_hold() {
    let stubborn = [died(vec![mkdir("/var/cache/web/tmp")])];
    let (added, ready, _) =
        trial(SearchOptions { max_rounds: 3, ..SearchOptions::default() }, &stubborn);
    assert_eq!((added.len(), ready), (3, false));
    // Its time is over: what worked is kept.
    let object = pod();
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let mut search = Search::new(&object, SearchOptions::default(), input).expect("a pod template");
    let mut runs = 0;
    loop {
        match search.next() {
            Next::Learn(questions) => search.learned(questions.into_iter().map(answer).collect()),
            Next::Run(_) if runs == 1 => search.stop(),
            Next::Run(_) => {
                runs += 1;
                search.ran(Outcome::new(
                    End::Works,
                    vec![refused(
                        Operation::Create,
                        Category::UnwritablePath,
                        Some("/run/x"),
                        false,
                    )],
                ));
            }
            Next::Done => break,
        }
    }
    assert!(search.is_proven() && search.plan(None).steps.is_empty());
}

#[test]
fn what_root_is_refused_as_well_is_no_obstacle() {
    let object = pod();
    let known = refused(Operation::Other, Category::CapabilityMissing, None, false);
    let input = SearchInput {
        observed: Observations { known_refusals: vec![known.clone()], ..observed() },
        ..SearchInput::default()
    };
    let (mut search, attempts) =
        driven(&object, SearchOptions::default(), input, &[Outcome::new(End::Works, vec![known])]);
    assert_eq!((attempts.len(), search.proof().0[0].obstacles.len()), (1, 0));
}

#[test]
fn baseline_asks_no_promise_of_who_is_no_root() {
    let pod = |context: Value| {
        json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {
            "containers": [{"name": "web", "securityContext": context}]}})
    };
    let options = SearchOptions { runs: false, level: Level::Baseline, ..SearchOptions::default() };
    for (context, changes) in
        [(json!({"runAsUser": 1001}), false), (json!({"runAsUser": 0}), true), (json!({}), true)]
    {
        let object = pod(context);
        let (search, _) = driven(&object, options.clone(), SearchInput::default(), &[]);
        let planned = search.plan(None).object;
        assert_eq!(planned != object, changes, "{planned}");
        assert_eq!(planned.pointer("/spec/securityContext/runAsNonRoot").is_some(), changes);
    }
}

#[test]
fn what_is_left_out_by_its_id_is_not_done() {
    let object = pod();
    let planned = |without: &str| {
        let options = SearchOptions {
            runs: false,
            without: vec![without.to_owned()],
            ..SearchOptions::default()
        };
        let (search, _) = driven(&object, options, SearchInput::default(), &[]);
        search.plan(None).object["spec"].clone()
    };
    let without_user = planned("identity");
    assert_eq!(without_user.pointer("/securityContext/runAsUser"), None);
    assert_eq!(without_user.pointer("/securityContext/runAsNonRoot"), None, "it would not start");
    assert!(without_user.pointer("/containers/0/securityContext/capabilities").is_some());
    let without_fields = planned(remedy::POD_SECURITY_FIELDS);
    assert_eq!(without_fields.pointer("/containers/0/securityContext"), None);
    assert_eq!(without_fields.pointer("/securityContext/runAsUser"), Some(&1000.into()));
    for id in [remedy::POD_SECURITY_FIELDS, "identity", "user-namespace"] {
        assert!(remedy::REMEDIES.iter().any(|remedy| remedy.id == id), "{id}");
    }
}

#[test]
fn what_was_declared_is_tried_without() {
    let context = json!({"capabilities": {"add": ["IPC_LOCK"]}});
    let object = json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {
        "containers": [{"name": "web", "securityContext": context}]}});
    for (runs, left) in
        [(true, json!({"drop": ["ALL"]})), (false, json!({"add": ["IPC_LOCK"], "drop": ["ALL"]}))]
    {
        let input = SearchInput { observed: observed(), ..SearchInput::default() };
        let (search, _) =
            driven(&object, SearchOptions { runs, ..SearchOptions::default() }, input, &[works()]);
        let planned = search.plan(None).object;
        assert_eq!(planned.pointer("/spec/containers/0/securityContext/capabilities"), Some(&left));
    }
}

/// The ids of the remedies of a plan without a cluster, for what failed.
fn planned(failed: Vec<Obstacle>) -> Vec<&'static str> {
    let object = pod();
    let options = SearchOptions { runs: false, ..SearchOptions::default() };
    let (search, _) =
        driven(&object, options, SearchInput { failed, ..SearchInput::default() }, &[]);
    search.plan(None).steps.iter().map(|step| step.remedy).collect()
}

#[test]
fn what_was_only_mentioned_is_remedied_where_what_ended_it_has_no_remedy() {
    let fatal = refused(Operation::Seccomp, Category::Seccomp, None, true);
    let path =
        |fatal| refused(Operation::Mkdir, Category::UnwritablePath, Some("/var/cache/web"), fatal);
    let other =
        |fatal| refused(Operation::Create, Category::UnwritablePath, Some("/srv/web/log"), fatal);
    assert_eq!(planned(vec![fatal.clone()]), [""; 0]);
    let mentioned = planned(vec![fatal, path(false)]);
    assert_eq!(mentioned, planned(vec![path(true)]));
    assert_eq!(mentioned.len(), 1);
    // Where there is a remedy for what ended it, what was mentioned waits for the next run.
    assert_eq!(planned(vec![path(false), other(true)]), planned(vec![other(true)]));
}

#[test]
fn what_the_image_has_not_was_to_be_written_and_not_executed() {
    let stats = vec![directory("/srv", 0o755, 0, 0), file("/srv/run.py", 0o644, 0, 0)];
    let facts = Facts { stats, observer_uid: 1000, ..Facts::default() };
    let read = |path: &str| {
        let mut obstacle = refused(Operation::Exec, Category::NotExecutable, Some(path), true);
        obstacle.errno = Some(Errno::Eacces);
        let obstacle = accept::reread(obstacle, &facts);
        (obstacle.operation, obstacle.category)
    };
    assert_eq!(read("/srv/settings.py"), (Operation::Create, Category::UnwritablePath));
    assert_eq!(read("/srv/run.py"), (Operation::Exec, Category::NotExecutable));
    assert_eq!(
        read("/opt/run.py"),
        (Operation::Exec, Category::NotExecutable),
        "nobody looked there"
    );
}

#[test]
fn a_link_in_a_closed_directory_leads_nowhere() {
    let stderr = Inode { file_type: FileType::CharDevice, ..Inode::file(0o666, 0, 0) };
    let mut stats =
        ["/", "/var", "/var/log", "/dev"].map(|path| directory(path, 0o755, 0, 0)).to_vec();
    stats.extend([
        directory("/var/log/web", 0o750, 0, 4),
        PathStat::new("/var/log/web/error.log", Inode::symlink("/dev/stderr")),
        PathStat::new("/dev/stderr", stderr),
    ]);
    let mut facts = Facts { uid: 33, gid: 33, stats, ..Facts::default() };
    let log =
        refused(Operation::Create, Category::UnwritablePath, Some("/var/log/web/error.log"), true);
    assert!(!accept::is_allowed(&log, &facts, None));
    let first = remedy::proposals(&log, &facts).into_iter().next().expect("a proposal");
    assert_eq!(first.edits, [Edit::SupplementalGroup(4)]);
    facts.groups.push(4);
    assert!(accept::is_allowed(&log, &facts, None));
}

#[test]
fn a_claim_that_its_user_owns_is_left_alone() {
    let facts = |root: Inode| Facts {
        uid: 100,
        gid: 102,
        mounts: vec![VolumeMount {
            root: Some(root),
            ..VolumeMount::new("/data", VolumeKind::Claim, "data")
        }],
        ..Facts::default()
    };
    let inside = |changed: PathStat| Inside { changed: vec![changed], ..Inside::default() };
    let writes = refused(Operation::Create, Category::UnwritablePath, Some("/data"), false);
    let own = facts(Inode::directory(0o700, 100, 100));
    let allowed =
        |facts: &Facts, inside: Option<&Inside>| accept::is_allowed(&writes, facts, inside);
    assert!(allowed(&own, Some(&inside(file("/data/base", 0o600, 100, 100)))));
    assert!(
        !allowed(&own, Some(&inside(file("/data/base", 0o600, 0, 0)))),
        "root left a file there"
    );
    assert!(!allowed(&facts(Inode::directory(0o755, 0, 0)), None), "it is root's");
}

#[test]
fn what_took_one_request_away_stays_as_a_guess() {
    let object = pod();
    let mut search = Search::new(&object, SearchOptions::default(), SearchInput::default())
        .expect("a pod template");
    let obstacle = refused(Operation::Setgid, Category::IdentitySwitch, None, true);
    let other = refused(Operation::Bind, Category::PrivilegedPort, None, true);
    let edited = Edit::EditedFile {
        container: "web".to_owned(),
        path: "/etc/web.conf".to_owned(),
        sed: "/^user/d".to_owned(),
    };
    let proposal = |edit: &Edit| Proposal {
        remedy: "x",
        layer: remedy::RemedyLayer::Pod,
        summary: String::new(),
        edits: vec![edit.clone()],
    };
    search.add(&obstacle, proposal(&edited));
    search.add(&obstacle, proposal(&Edit::FsGroup(7)));
    search.add(&other, proposal(&Edit::FsGroup(8)));
    search.forget(&obstacle);
    let left: Vec<(Edit, bool)> =
        search.steps.iter().map(|step| (step.edits[0].clone(), step.doubtful)).collect();
    assert_eq!(left, [(edited, true), (Edit::FsGroup(8), false)]);
}

/// Answers as an image would that has a directory of root's at every path.
fn answer_of_all(question: Question) -> Learned {
    match answer(question) {
        Learned::Look { container, paths, mut stats } => {
            stats.extend(paths.iter().map(|path| directory(path, 0o755, 0, 0)));
            Learned::Look { container, paths, stats }
        }
        other => other,
    }
}

/// The directories that a plan without a trial makes volumes of.
fn planned_directories(empty: &[String]) -> Vec<String> {
    let object = pod();
    let options = SearchOptions { runs: false, ..SearchOptions::default() };
    let image = Inside { empty: empty.to_vec(), ..Inside::default() };
    let images = BTreeMap::from([("web".to_owned(), image)]);
    let observed = Observations { images, ..observed() };
    let input = SearchInput { observed, ..SearchInput::default() };
    let mut search = Search::new(&object, options, input).expect("a pod template");
    while let Next::Learn(questions) = search.next() {
        search.learned(questions.into_iter().map(answer_of_all).collect());
    }
    let edits = search.steps.iter().flat_map(|step| &step.edits);
    let directories = edits.filter_map(|edit| match edit {
        Edit::Directory { path, fill: Fill::Empty, .. } => Some(path.clone()),
        _ => None,
    });
    directories.collect()
}

#[test]
fn an_empty_directory_of_the_program_is_made_writable() {
    let path = |number: usize| format!("/app/{number}/uploads");
    assert_eq!(planned_directories(&[path(0)]), [path(0)]);
    let many: Vec<String> = (0..9).map(path).collect();
    assert!(planned_directories(&many).is_empty(), "a tool made so many");
}

/// Decides on an obstacle as for a pod that is only looked at.
fn decided(object: &Value, obstacle: &Obstacle, answer: fn(Question) -> Learned) -> RemedyDecision {
    let options = SearchOptions { runs: false, foresees: false, ..SearchOptions::default() };
    let input = SearchInput { observed: observed(), ..SearchInput::default() };
    let mut search = Search::new(object, options, input).expect("a pod template");
    while let Next::Learn(questions) = search.next() {
        search.learned(questions.into_iter().map(answer).collect());
    }
    loop {
        match search.decide(obstacle) {
            RemedyDecision::Learn(questions) => {
                search.learned(questions.into_iter().map(answer).collect());
            }
            decision => return decision,
        }
    }
}

/// Answers as a container would that nobody can look into.
fn silent(question: Question) -> Learned {
    match question {
        Question::Look { container, paths } => {
            Learned::Look { container, paths, stats: Vec::new() }
        }
        other => answer(other),
    }
}

#[test]
fn what_would_remove_one_obstacle_is_decided_by_the_image() {
    let object = pod();
    let RemedyDecision::Decided(remedies, seen) =
        decided(&object, &mkdir("/var/cache/web/x"), answer)
    else {
        panic!("the image was seen")
    };
    let first = remedies.first().expect("a remedy");
    assert_eq!((first.id, first.layer), ("empty-dir", remedy::RemedyLayer::Pod));
    assert!(first.summary.ends_with("where the image has nothing"), "{}", first.summary);
    assert!(remedies.iter().all(|one| !one.summary.contains(", if the image")), "{remedies:?}");
    assert!(seen.iter().any(|stat| stat.path == "/var/cache"));
    assert!(remedies.iter().all(|one| one.id != "user-namespace"), "it is the last resort");
}

#[test]
fn nothing_is_decided_where_nothing_was_seen() {
    let object = pod();
    assert_eq!(decided(&object, &mkdir("/var/cache/web"), silent), RemedyDecision::Unknown);
}

#[test]
fn what_wants_to_be_root_again_must_be_seen_to_work() {
    let object = pod();
    for (is_set_user_id, is_shown) in [(true, false), (true, true), (false, false)] {
        let process = Process { is_set_user_id, ..Process::default() };
        let inside = Inside { processes: vec![process], ..Inside::default() };
        let running = BTreeMap::from([("web".to_owned(), inside)]);
        let observed = Observations { running, ..observed() };
        let input = SearchInput { observed, ..SearchInput::default() };
        let seen = Used { is_shown, ..Used::default() };
        let outcome = Outcome { seen, ..works() };
        let (search, _) = driven(&object, SearchOptions::default(), input, &[outcome]);
        assert_eq!(search.is_proven(), is_shown || !is_set_user_id);
    }
}

#[test]
fn root_in_a_user_namespace_must_be_seen_to_work() {
    let object = pod();
    for is_shown in [false, true] {
        let input = SearchInput { observed: observed(), ..SearchInput::default() };
        let mut search =
            Search::new(&object, SearchOptions::default(), input).expect("a pod template");
        loop {
            match search.next() {
                Next::Learn(questions) => {
                    search.learned(questions.into_iter().map(answer).collect());
                }
                Next::Run(attempt) if attempt.object["spec"]["hostUsers"] == false => {
                    let seen = Used { is_shown, ..Used::default() };
                    search.ran(Outcome { seen, ..works() });
                }
                Next::Run(_) => drop(search.ran(died(Vec::new())).clone()),
                Next::Done => break,
            }
        }
        assert_eq!((search.is_ready(), search.is_proven()), (true, is_shown));
        let (_, remaining, _) = search.proof();
        let said = |one: &Obstacle| one.cause.contains("nothing showed that it does its work");
        assert_eq!(remaining.iter().any(said), !is_shown);
    }
}
