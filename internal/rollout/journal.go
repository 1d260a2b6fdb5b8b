package rollout

import "context"

// Journal is told as the run goes on, so that log, summary and report files
// show what happened even if the run is killed.
type Journal interface {
	Stage(name string)                            // a stage begins
	Save(record *Record)                          // the record has changed; it must not be kept
	Progress(line string)                         // a stage is still sampling
	Troubled(ctx context.Context, pods []Trouble) // before a rollback removes them
}

// Herald tells the cluster.
type Herald interface {
	Judged(ctx context.Context, stage StageRecord) // a stage was decided
}
