package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/manifest"
)

func TestReadDocuments(t *testing.T) {
	t.Parallel()
	a, b := configMap("a"), configMap("b")
	tests := []struct {
		name, text string
		want       []string // places and names
	}{
		{"one", a, []string{"f.yaml:1 a"}},
		{"two", a + "---\n" + b, []string{"f.yaml:1 a", "f.yaml:6 b"}},
		{"marker first", "---\n" + a, []string{"f.yaml:2 a"}},
		{"marker with a comment", "--- # Source: chart\n" + a, []string{"f.yaml:2 a"}},
		{"marker with white space", "---  \n" + a + "---\t\n" + b, []string{"f.yaml:2 a", "f.yaml:7 b"}},
		{"marker with content", "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n", []string{"f.yaml:1 a"}},
		{"empty documents", "---\n---\n# nothing\n---\n" + a + "---\n", []string{"f.yaml:5 a"}},
		{"null document", "null\n---\n~\n---\n" + a, []string{"f.yaml:5 a"}},
		{"end markers", a + "...\n---\n" + b + "...\n", []string{"f.yaml:1 a", "f.yaml:7 b"}},
		{"directive", "%YAML 1.1\n---\n" + a, []string{"f.yaml:3 a"}},
		{"comment before", "# the first\n\n" + a, []string{"f.yaml:3 a"}},
		{"byte order mark", "\ufeff" + a, []string{"f.yaml:1 a"}},
		{"windows line ends", "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: a\r\n---\r\n" + b, []string{"f.yaml:1 a", "f.yaml:6 b"}},
		{"no line end", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", []string{"f.yaml:1 a"}},
		{"dashes that are no marker", a + "data:\n  x: |\n    ---\n    ----\n  y: ---\n", []string{"f.yaml:1 a"}},
		{"list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n", []string{"f.yaml:1 a", "f.yaml:1 b"}},
		{"typed list", "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n", []string{"f.yaml:1 a"}},
		{"empty list beside an object", "apiVersion: v1\nkind: List\nitems: []\n---\n" + a, []string{"f.yaml:5 a"}},
		{"json", "\n{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n", []string{"f.yaml:2 a"}},
		{"json values in a row", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}` + "\n" + `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`, []string{"f.yaml:1 a", "f.yaml:2 b"}},
		{"flow style", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", []string{"f.yaml:1 a"}},
		{"anchors", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n a}\ndata: {x: *n}\n", []string{"f.yaml:1 a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, _, err := manifest.Read([]string{"f.yaml"}, tree(map[string]string{"f.yaml": tt.text}), nil)
			require.NoError(t, err)
			var got []string
			for _, object := range set.Objects {
				require.Equal(t, "ConfigMap", object.GetKind())
				got = append(got, object.Place.String()+" "+object.GetName())
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestReadKeepsIntegers(t *testing.T) {
	t.Parallel()
	set := readText(t, deployment("blue"))
	require.Equal(t, 3, manifest.Replicas(set.Objects[0]))
	value := set.Objects[0].Object["spec"].(map[string]any)["replicas"]
	require.IsType(t, int64(0), value)
}

func TestReadDocumentProblems(t *testing.T) {
	t.Parallel()
	a := configMap("a")
	const nbsp = "\u00a0"
	const nbspHint = "\n  hint: replace it by spaces; copying from a web page often brings it along"
	tests := []struct{ name, text, want string }{
		{"duplicate key, second document", a + "---\n" + configMap("b") + "kind: Secret\n", `f.yaml:10: key "kind" already set in map`},
		{"two duplicate keys", "a: 1\na: 2\nb: 1\nb: 2\n", "f.yaml:2: key \"a\" already set in map\nf.yaml:4: key \"b\" already set in map"},
		{"syntax, second document", a + "---\na: [1\n", `f.yaml:7: did not find expected ',' or ']'`},
		{"unknown alias", "a: *b\n", `f.yaml:1: unknown anchor 'b' referenced`},
		{"wrong dedent", "metadata:\n    labels:\n      a: b\n   name: x\n", "f.yaml:4: did not find expected key"},
		{"tab indents", "metadata:\n\tname: a\n", "f.yaml:2:1: a tab (U+0009) where only a space can stand" + nbspHint},
		{"tab after spaces", "metadata:\n  labels:\n  \ta: b\n", "f.yaml:3:3: a tab (U+0009) where only a space can stand" + nbspHint},
		{"no-break space after a key", a + "---\nspec:" + nbsp + "\n  replicas: 1\n", "f.yaml:6:6: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"no-break space indents", "spec:\n" + nbsp + " replicas: 1\n", "f.yaml:2:1: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"no-break space before a value", "spec:\n  replicas:" + nbsp + "1\n  paused: true\n", "f.yaml:2:12: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"no-break space after a dash", "args:\n-" + nbsp + "x: 1\n", "f.yaml:2:2: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"no-break space at the end of a name", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a" + nbsp + "\n", "f.yaml:4:10: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"column counts characters", "é: 1\nü:" + nbsp + "\n  x: 1\n", "f.yaml:2:3: a no-break space (U+00A0) where only a space can stand" + nbspHint},
		{"narrow no-break space", "spec:\u202f\n  x: 1\n", "f.yaml:1:6: a narrow no-break space (U+202F) where only a space can stand" + nbspHint},
		{"apiVersion too far left", "apiVersion: v1\n kind: ConfigMap\n metadata: {name: a}\n", "f.yaml:1:1: wrong indentation: \"apiVersion\" (line 1) begins in column 1, its sibling \"kind\" (line 2) in column 2\n  hint: let all keys of one object begin in the same column"},
		{"a key too far right", "metadata:\n  name: a\n   labels:\n     x: y\n", "f.yaml:3:4: wrong indentation: \"name\" (line 2) begins in column 3, its sibling \"labels\" (line 3) in column 4\n  hint: let all keys of one object begin in the same column"},
		{"no apiVersion", "kind: ConfigMap\nmetadata: {name: a}\n", "f.yaml:1: apiVersion is missing or not a text"},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n", "f.yaml:1: kind is missing or not a text"},
		{"no name", "apiVersion: v1\nkind: ConfigMap\n", "f.yaml:1: metadata.name is missing or not a text"},
		{"name is a number", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}\n", "f.yaml:1: metadata.name is missing or not a text"},
		{"generated name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n", "f.yaml:1: metadata.name is missing or not a text\n  hint: write metadata.name: a generated name would make a new object each time"},
		{"a text", "hello\n", "f.yaml:1: it is not a Kubernetes object: apiVersion and kind are missing"},
		{"list of texts", "apiVersion: v1\nkind: List\nitems: [a]\n", "f.yaml:1: item 1 of the list is not an object"},
		{"label is a number", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: 1}}\n", "f.yaml:1: Service \"a\": spec.selector has app: 1, which is not a text\n  hint: put it in quotes: app: \"1\""},
		{"label is a truth", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {on: yes}}\n", "f.yaml:1: Service \"a\": spec.selector has true: true, which is not a text\n  hint: put it in quotes: true: \"true\""},
		{"spec is a list", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: []\n", "f.yaml:1: Service \"a\": spec is missing or not an object"},
		{"no selector", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {}}}\n", "f.yaml:1: Deployment \"a\": spec.selector is missing or not an object"},
		{"unknown version", "apiVersion: apps/v3\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n", "f.yaml:1: Deployment \"a\": API version \"apps/v3\" is unknown\n  hint: write apiVersion: apps/v1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := manifest.Read([]string{"f.yaml"}, tree(map[string]string{"f.yaml": tt.text}), nil)
			require.EqualError(t, err, tt.want)
		})
	}
}

// TestReadLeavesForeignTextAlone has strange spaces where YAML allows them.
func TestReadLeavesForeignTextAlone(t *testing.T) {
	t.Parallel()
	const nbsp = "\u00a0"
	for name, data := range map[string]string{
		"block scalar":      "  x: |\n    a:" + nbsp + "\n    \tb" + nbsp + "\n" + nbsp[:0] + "\n    c\n",
		"folded scalar":     "  x: >-\n    a" + nbsp + "\n",
		"block in a list":   "  x: |+ # with a comment\n    - a" + nbsp + "\n",
		"double quotes":     "  x: \"a" + nbsp + "\"\n",
		"single quotes":     "  x: 'it''s" + nbsp + "'\n",
		"quotes over lines": "  x: \"a" + nbsp + "\n    b:" + nbsp + "\n    \\\" c" + nbsp + "\"\n",
		"within a text":     "  x: 10" + nbsp + "000 players\n",
		"French":            "  x: \"Prix" + nbsp + ": 5\"\n",
		"comment":           "  x: y # a" + nbsp + "\n  #" + nbsp + "b" + nbsp + "\n",
		"tab before value":  "  x:\ty\n",
		"tab at the end":    "  x: y\t\n",
		"tabs in flow":      "  {\n\t\tx: y,\n\t}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := readText(t, configMap("a")+"data:\n"+data)
			require.Len(t, set.Objects, 1)
		})
	}
}

func TestReadSeedAsPrinted(t *testing.T) {
	t.Parallel()
	_, _, err := manifest.Read([]string{"seed-as-printed"}, shared, nil)
	require.EqualError(t, err, `seed-as-printed/new-nginx.yaml:1:5: wrong indentation: "apiVersion" (line 1) begins in column 5, its sibling "kind" (line 2) in column 6
  hint: let all keys of one object begin in the same column
seed-as-printed/new-nginx.yaml:7:11: a no-break space (U+00A0) where only a space can stand
  hint: replace it by spaces; copying from a web page often brings it along
seed-as-printed/old-nginx.yaml:1:5: wrong indentation: "apiVersion" (line 1) begins in column 5, its sibling "kind" (line 2) in column 6
  hint: let all keys of one object begin in the same column
seed-as-printed/old-nginx.yaml:7:11: a no-break space (U+00A0) where only a space can stand
  hint: replace it by spaces; copying from a web page often brings it along
seed-as-printed/old-nginx.yaml:26:6: "---" is indented: it separates documents only at the beginning of a line`)
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		configMap("a"), service(), deployment("blue"), "---\n---", "a: |\n  b\u00a0\n", "{\"a\":1}{", "- - - a:\u00a0b", "\"a\nb", "a: 'b\n",
		"kind: List\nitems: [{}, 1]", "%YAML 1.1\n---\n", "\ufeff{}", "? a\n: b", "a: &x [*x]", "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\nspec: {strategy: 1}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, notices, err := manifest.Read([]string{"a.yaml"}, tree(map[string]string{"a.yaml": text}), nil)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, set.Objects)
		for _, notice := range notices {
			require.Positive(t, notice.Place.Line)
		}
		for _, object := range set.Objects {
			require.NotEmpty(t, object.GetName())
			require.Positive(t, object.Place.Line)
			manifest.Images(object)
			manifest.ServicePorts(object)
			if object.GetKind() == "Deployment" && object.GetAPIVersion() == "apps/v1" {
				require.Equal(t, 7, manifest.Replicas(manifest.WithReplicas(object, 7)), "%v", object.Object)
			}
		}
	})
}
