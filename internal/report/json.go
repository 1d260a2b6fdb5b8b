// Package report writes what a run planned, did and saw: Markdown for people,
// JSON for programs, aligned tables for terminals.
//
// The JSON document is the one source: Markdown is made from what the document
// says, so that `l4-canary report` makes the same bytes from it later. Texts of
// others (pods, registries, addresses) are data everywhere; see escape.go.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/org/l4-canary/internal/rollout"
)

// JSON writes the report of a run, finished or not: weights in percent,
// latencies in milliseconds, figures that cannot be had null. version is of the
// program that ran.
func JSON(w io.Writer, record *rollout.Record, version string) error {
	return encode(w, newReport(record, version))
}

// PlanJSON writes a plan, also one with problems.
func PlanJSON(w io.Writer, plan rollout.Plan, forecast rollout.Forecast) error {
	return encode(w, planDocument{
		SchemaVersion: schemaVersion, Replicas: plan.Replicas,
		MaxSurge: plan.MaxSurge, MaxUnavailable: plan.MaxUnavailable,
		Stages: each(plan.Stages, newPlannedStage), Problems: list(plan.Problems),
		Forecast: planForecast{newEstimate(forecast.Baseline), each(forecast.Stages, newEstimate), newEstimate(forecast.Total())},
	})
}

// SampleJSON writes a measurement of one port.
func SampleJSON(w io.Writer, m rollout.Measurement) error {
	return encode(w, sampleDocument{SchemaVersion: schemaVersion, sampleFigures: newSample(m)})
}

// FromJSON reads what JSON wrote, and the version of the program that ran.
func FromJSON(r io.Reader) (record *rollout.Record, version string, err error) {
	var d reportDocument
	decoder := json.NewDecoder(r)
	if err = decoder.Decode(&d); err != nil {
		return nil, "", fmt.Errorf("reading a JSON report: %w", inWords(err))
	}
	if _, err = decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, "", errors.New("reading a JSON report: something follows it")
	}
	if d.SchemaVersion != schemaVersion {
		return nil, "", fmt.Errorf("reading a JSON report: schemaVersion is %d: allowed is %d", d.SchemaVersion, schemaVersion)
	}
	record, err = d.record()
	if err != nil {
		return nil, "", fmt.Errorf("reading a JSON report: %w", err)
	}
	return record, d.Version, nil
}

// inWords is a decoder's error without the names of our types.
func inWords(err error) error {
	misfit, isMisfit := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut off")
	case isMisfit && misfit.Field == "":
		return fmt.Errorf("it is one %s, and no object", misfit.Value)
	case isMisfit:
		return fmt.Errorf("%s cannot be a %s", misfit.Field, misfit.Value)
	}
	return err
}

// encode writes a document with two blanks a level and a newline at its end.
func encode(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}
