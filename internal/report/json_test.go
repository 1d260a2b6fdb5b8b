package report

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/org/l4-canary/internal/rollout"
)

// schema is one of docs/schema.
func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(filepath.Join("..", "..", "docs", "schema", name+".schema.json"))
	require.NoError(t, err)
	return compiled
}

// requireValid holds a document against a schema.
func requireValid(t *testing.T, s *jsonschema.Schema, document []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	require.NoError(t, s.Validate(value), string(document))
}

func asJSON(t *testing.T, record *rollout.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, JSON(&b, record, "1.0.0"))
	return b.Bytes()
}

func TestJSONGolden(t *testing.T) {
	t.Parallel()
	golden(t, "promoted.json", asJSON(t, seedPromoted()))
	golden(t, "rolled-back-crash.json", asJSON(t, byCrash()))
}

func TestJSONFollowsItsSchema(t *testing.T) {
	t.Parallel()
	compiled := schema(t, "report")
	for name, record := range fixtures() {
		if name == "hostile" {
			continue // has sides and verdicts that do not exist
		}
		requireValid(t, compiled, asJSON(t, record))
	}
}

// TestRoundTrip makes Markdown from JSON again, also where figures have more
// digits than the document keeps.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, record := range fixtures() {
		document := asJSON(t, record)
		again, version, err := FromJSON(bytes.NewReader(document))
		require.NoError(t, err, name)
		require.Equal(t, "1.0.0", version)
		require.Equal(t, string(document), string(asJSON(t, again)), name)
		require.Equal(t, string(markdown(t, record, "1.0.0")), string(markdown(t, again, version)), name)
	}
}

func TestRoundTripOfAnything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		record := &rollout.Record{}
		fill(random, reflect.ValueOf(record).Elem())
		document := asJSON(t, record)
		again, version, err := FromJSON(bytes.NewReader(document))
		require.NoError(t, err)
		require.Equal(t, string(markdown(t, record, "1.0.0")), string(markdown(t, again, version)), "seed %d", seed)
	}
}

// fill sets every field to something random, also to what no run would set.
func fill(random *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(began.Add(time.Duration(random.Int64N(1e15)))))
		return
	}
	switch v.Kind() { //nolint:exhaustive // the kinds that a Record has; default fails on any other
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(random, field)
		}
	case reflect.Pointer:
		if random.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(random, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range random.IntN(4) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(random, key)
			fill(random, value)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		texts := []string{"", "stable", "canary", "pass", "fail", "rolled-back", "promoted", "FAIL_SHARE", "FAIL_ERRORS", "refused", "local", "50", evil, "\xff\xfe"}
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Float64:
		figures := []float64{0, 1.0 / 3, 100 * random.Float64(), random.NormFloat64() * 1e12, math.NaN(), math.Inf(1), math.MaxFloat64, 1e-300, math.Copysign(0, -1)}
		v.SetFloat(figures[random.IntN(len(figures))])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(1e12))
	case reflect.Uint64:
		v.SetUint(random.Uint64())
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	default:
		panic("report: the record has a new kind of field: " + v.Kind().String())
	}
}

func TestFromJSONRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ document, want string }{
		"nothing":       {"", "reading a JSON report: it is empty"},
		"no JSON":       {"# report", "reading a JSON report: invalid character"},
		"other version": {`{"schemaVersion": 2}`, "schemaVersion is 2: allowed is 1"},
		"other thing":   {`{"kind": "List"}`, "schemaVersion is 0: allowed is 1"},
		"two":           {`{"schemaVersion": 1}{}`, "something follows it"},
		"bad time":      {`{"schemaVersion": 1, "startedAt": "noon"}`, `startedAt is "noon": allowed are times such as`},
		"bad type":      {`{"schemaVersion": 1, "replicas": "two"}`, "replicas cannot be a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := FromJSON(strings.NewReader(c.document))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func FuzzFromJSON(f *testing.F) {
	document, err := os.ReadFile(filepath.Join("testdata", "promoted.json"))
	require.NoError(f, err)
	f.Add(string(document))
	f.Add(`{"schemaVersion":1,"stages":[{"ports":[{"pods":[{}],"addresses":[{},{}]}]}],"troubles":[{}],"rollback":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		record, version, err := FromJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		first := markdown(t, record, version)
		require.Equal(t, string(first), string(markdown(t, record, version)))
	})
}

func TestPlanAndSample(t *testing.T) {
	t.Parallel()
	plans := map[string]rollout.Plan{
		"plan-ten":      rollout.NewPlan(rollout.PlanOptions{Replicas: 10, MaxSurge: 3, Steps: []rollout.Percent{10, 25, 50, 100}, MaxWeightError: 5}),
		"plan-seed":     rollout.NewPlan(rollout.PlanOptions{Replicas: 1, MaxSurge: 4, Steps: []rollout.Percent{50, 80, 100}, MaxWeightError: 5}),
		"plan-problems": rollout.NewPlan(rollout.PlanOptions{Replicas: 1, MaxSurge: 1, Steps: []rollout.Percent{12.5, 100}, MaxWeightError: 5}),
		"plan-none":     {},
	}
	compiled := schema(t, "plan")
	options := rollout.Options{Tolerance: 5, Confidence: 95, Rate: 50, Settle: 5 * time.Second, Drain: 30 * time.Second, Propagation: time.Minute}
	for name, plan := range plans {
		var document, table bytes.Buffer
		options.Plan.Replicas, options.Plan.MaxSurge = plan.Replicas, plan.MaxSurge
		forecast := options.Forecast(plan, 4*time.Second)
		require.NoError(t, PlanJSON(&document, plan, forecast))
		require.NoError(t, PlanTable(&table, plan, forecast))
		requireValid(t, compiled, document.Bytes())
		golden(t, name+".json", document.Bytes())
		golden(t, name+".txt", table.Bytes())
	}
	unasked := sampled("80/TCP", 487, 125, 20)
	unasked.Expected, unasked.Verdict, unasked.Reason = nil, "", ""
	samples := map[string]rollout.Measurement{
		"sample-pass":    sampled("80/TCP", 487, 125, 20),
		"sample-unasked": unasked,
		"sample-both":    lobbyStages()[1].Ports[1],
		"sample-odd":     turns(),
		"sample-none":    {},
		"sample-nan":     {Rate: math.NaN(), Observed: new(rollout.Percent)},
	}
	compiled = schema(t, "sample")
	for name, sample := range samples {
		var document, table bytes.Buffer
		require.NoError(t, SampleJSON(&document, sample))
		require.NoError(t, SampleTable(&table, sample))
		requireValid(t, compiled, document.Bytes())
		golden(t, name+".json", document.Bytes())
		golden(t, name+".txt", table.Bytes())
	}
}

// TestSampleShape pins the contract's field names, to the letter.
func TestSampleShape(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, SampleJSON(&b, rollout.Measurement{}))
	var fields map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &fields))
	require.Equal(t, map[string]any{
		"schemaVersion": 1.0, "samples": 0.0, "stable": 0.0, "canary": 0.0, "unknown": 0.0, "notSent": 0.0, "rate": 0.0, "seed": 0.0,
		"errors":   map[string]any{"refused": 0.0, "reset": 0.0, "timeout": 0.0, "protocol": 0.0, "local": 0.0},
		"observed": nil, "interval": nil, "wilson": nil, "expected": nil, "verdict": nil, "reason": nil,
		"latency": map[string]any{"stable": nil, "canary": nil},
	}, fields)
}
