// Command oracle answers for k8s.io/pod-security-admission: what that module itself says about pods. The tests in
// tests/oracle.rs hold src/policy to its answers. Everything it reads and prints is JSON, one value a line.
//
//	oracle verdicts       reads requests from stdin and prints a list of verdicts for each
//	oracle registry       prints, for both levels and every version, the checks in force in their order
//	oracle fixtures DIR   prints the pods of the module's test/testdata directory and what they are there to show
//	oracle encodings      reads pods from stdin and prints each as an API server does, in JSON and in protobuf
//	oracle printable      prints the runs of characters that strconv.Quote leaves as they are, and Unicode's version
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := run(os.Args[1:], encoder)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run(args []string, out *json.Encoder) error {
	switch {
	case len(args) == 1 && args[0] == "verdicts":
		return verdicts(os.Stdin, out)
	case len(args) == 1 && args[0] == "registry":
		return registry(out)
	case len(args) == 2 && args[0] == "fixtures":
		return fixtures(args[1], out)
	case len(args) == 1 && args[0] == "encodings":
		return encodings(os.Stdin, out)
	case len(args) == 1 && args[0] == "printable":
		return printable(out)
	}
	return fmt.Errorf("usage: oracle verdicts | registry | fixtures DIR | encodings | printable")
}

// A levelVersion is a policy as a namespace's labels write it.
type levelVersion struct {
	Level   string `json:"level"`
	Version string `json:"version"`
}

func (lv levelVersion) parse() (api.LevelVersion, error) {
	level, err := api.ParseLevel(lv.Level)
	if err != nil {
		return api.LevelVersion{}, fmt.Errorf("level %q: %w", lv.Level, err)
	}
	version, err := api.ParseVersion(lv.Version)
	if err != nil {
		return api.LevelVersion{}, fmt.Errorf("version %q: %w", lv.Version, err)
	}
	return api.LevelVersion{Level: level, Version: version}, nil
}

type request struct {
	Policies []levelVersion  `json:"policies"`
	Pod      json.RawMessage `json:"pod"`
}

// A verdict is what one policy says about a pod: its violations, and the text that the API server prints.
type verdict struct {
	Violations []violation `json:"violations"`
	Message    string      `json:"message"`
}

type violation struct {
	Check  policy.CheckID `json:"check"`
	Reason string         `json:"reason"`
	Detail string         `json:"detail"`
}

// An evaluator is the module's own, which does not say which check gave a result: every check is wrapped to note its ID.
type evaluator struct {
	inner policy.Evaluator
	ran   []policy.CheckID
}

func newEvaluator() (*evaluator, error) {
	e := &evaluator{}
	checks := policy.DefaultChecks()
	for i := range checks {
		id := checks[i].ID
		for j := range checks[i].Versions {
			checkPod := checks[i].Versions[j].CheckPod
			checks[i].Versions[j].CheckPod = func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
				e.ran = append(e.ran, id)
				return checkPod(meta, spec)
			}
		}
	}
	inner, err := policy.NewEvaluator(checks, nil)
	e.inner = inner
	return e, err
}

func (e *evaluator) evaluate(lv api.LevelVersion, pod *corev1.Pod) verdict {
	e.ran = e.ran[:0]
	results := e.inner.EvaluatePod(lv, &pod.ObjectMeta, &pod.Spec)
	aggregate := policy.AggregateCheckResults(results)
	v := verdict{Violations: []violation{}, Message: aggregate.ForbiddenDetail()}
	for i, result := range results {
		if !result.Allowed {
			v.Violations = append(v.Violations, violation{e.ran[i], result.ForbiddenReason, result.ForbiddenDetail})
		}
	}
	return v
}

func verdicts(in io.Reader, out *json.Encoder) error {
	evaluator, err := newEvaluator()
	if err != nil {
		return err
	}
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		var req request
		if err := json.Unmarshal(line, &req); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		pod, err := decode(req.Pod)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		answers := make([]verdict, 0, len(req.Policies))
		for _, p := range req.Policies {
			lv, err := p.parse()
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			answers = append(answers, evaluator.evaluate(lv, pod))
		}
		if err := out.Encode(answers); err != nil {
			return err
		}
	}
}

// An encoded is one pod in both encodings, protobuf in hexadecimal digits.
type encoded struct {
	JSON     *corev1.Pod `json:"json"`
	Protobuf string      `json:"protobuf"`
}

func encodings(in io.Reader, out *json.Encoder) error {
	pods := json.NewDecoder(in)
	for {
		var data json.RawMessage
		if err := pods.Decode(&data); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		pod, err := decode(data)
		if err != nil {
			return err
		}
		protobuf, err := pod.Marshal()
		if err != nil {
			return err
		}
		if err := out.Encode(encoded{pod, hex.EncodeToString(protobuf)}); err != nil {
			return err
		}
	}
}

// decode reads a pod as the API server does, and refuses a field that it does not know: a test that misspells a field
// would otherwise compare two readers that both ignore it.
func decode(data []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	strict, err := kjson.UnmarshalStrict(data, pod)
	if err != nil {
		return nil, err
	}
	if len(strict) > 0 {
		return nil, strict[0]
	}
	return pod, nil
}

func registry(out *json.Encoder) error {
	evaluator, err := newEvaluator()
	if err != nil {
		return err
	}
	for _, level := range []api.Level{api.LevelPrivileged, api.LevelBaseline, api.LevelRestricted} {
		for _, version := range versions() {
			evaluator.evaluate(api.LevelVersion{Level: level, Version: version}, &corev1.Pod{})
			if err := out.Encode(struct {
				levelVersion
				Checks []policy.CheckID `json:"checks"`
			}{levelVersion{string(level), version.String()}, append([]policy.CheckID{}, evaluator.ran...)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// versions lists all that differ, two beyond the newest revision of any check, and latest.
func versions() []api.Version {
	newest := 0
	for _, check := range policy.DefaultChecks() {
		for _, revision := range check.Versions {
			newest = max(newest, revision.MinimumVersion.Minor())
		}
	}
	var all []api.Version
	for minor := 0; minor <= newest+2; minor++ {
		all = append(all, api.MajorMinorVersion(1, minor))
	}
	return append(all, api.LatestVersion())
}

// A fixture is a pod of testdata/<level>/<version>/<pass|fail>/<check in lower case><number>.yaml.
type fixture struct {
	levelVersion
	Name    string          `json:"name"`
	Allowed bool            `json:"allowed"`
	Check   policy.CheckID  `json:"check"` // empty for a level's minimal pods, base*.yaml
	Pod     json.RawMessage `json:"pod"`
}

func fixtures(testdata string, out *json.Encoder) error {
	ids := map[string]policy.CheckID{}
	for _, check := range policy.DefaultChecks() {
		ids[strings.ToLower(string(check.ID))] = check.ID
	}
	return filepath.WalkDir(testdata, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		relative, err := filepath.Rel(testdata, path)
		if err != nil {
			return err
		}
		parts := strings.Split(filepath.ToSlash(relative), "/")
		if len(parts) != 4 {
			return fmt.Errorf("%s: not level/version/pass-or-fail/name.yaml", path)
		}
		name := strings.TrimSuffix(parts[3], ".yaml")
		check, known := ids[strings.TrimRight(name, "0123456789")]
		if !known && !strings.HasPrefix(name, "base") {
			return fmt.Errorf("%s: named after no check", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pod, err := yaml.YAMLToJSON(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return out.Encode(fixture{levelVersion{parts[0], parts[1]}, name, parts[2] == "pass", check, pod})
	})
}

func printable(out *json.Encoder) error {
	var runs [][2]rune // first and last
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !strconv.IsPrint(r) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && runs[last][1] == r-1 {
			runs[last][1] = r
		} else {
			runs = append(runs, [2]rune{r, r})
		}
	}
	return out.Encode(struct {
		Unicode string    `json:"unicode"`
		Runs    [][2]rune `json:"runs"`
	}{unicode.Version, runs})
}
