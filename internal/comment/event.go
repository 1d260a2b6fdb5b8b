package comment

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
)

// place is where an event happened: a pull request, or a commit that may belong to one.
type place struct {
	number int // 0: not known
	sha    string
	fork   bool
}

// event is what a payload says of pull requests.
// https://docs.github.com/webhooks/webhook-events-and-payloads
type event struct {
	Repository  repository `json:"repository"`
	PullRequest *struct {
		Number int  `json:"number"`
		Head   head `json:"head"`
		Base   head `json:"base"`
	} `json:"pull_request"`
	Issue *struct {
		Number      int             `json:"number"`
		PullRequest json.RawMessage `json:"pull_request"` // an object, if the issue is one
	} `json:"issue"`
	WorkflowRun *struct {
		HeadSHA      string `json:"head_sha"`
		PullRequests []struct {
			Number int  `json:"number"`
			Base   head `json:"base"`
		} `json:"pull_requests"`
	} `json:"workflow_run"`
	MergeGroup *struct {
		HeadRef string `json:"head_ref"`
	} `json:"merge_group"`
}

type repository struct {
	ID int64 `json:"id"`
}

// head is a side of a pull request. A repository that was deleted is null.
type head struct {
	Repo repository `json:"repo"`
}

// queued is the branch of a merge queue: its last pull request, then a commit.
// https://docs.github.com/actions/using-workflows/events-that-trigger-workflows#merge_group
var queued = regexp.MustCompile(`/pr-(\d+)-[0-9a-f]+$`)

// merging is the reference of a pull request.
var merging = regexp.MustCompile(`^refs/pull/(\d+)/`)

// readEvent says where the event of a job happened. A payload that cannot be read leaves
// what the environment says.
func readEvent(o Options) place {
	var e event
	if name := o.Getenv("GITHUB_EVENT_PATH"); name != "" {
		data, err := o.ReadFile(name)
		if err != nil || json.Unmarshal(data, &e) != nil {
			e = event{}
		}
	}
	at := e.place(o.Getenv("GITHUB_REF"), o.Getenv("GITHUB_SHA"))
	// This one runs with the rights of the repository that the pull request aims at.
	at.fork = at.fork && o.Getenv("GITHUB_EVENT_NAME") != "pull_request_target"
	return at
}

// place is the pull request that an event is about, or what else the environment names:
// a reference and a commit.
func (e *event) place(ref, sha string) place {
	switch {
	case e.PullRequest != nil && e.PullRequest.Number > 0:
		return place{number: e.PullRequest.Number, fork: e.PullRequest.Head != e.PullRequest.Base}
	case e.Issue != nil && len(e.Issue.PullRequest) > 0 && string(e.Issue.PullRequest) != "null":
		return place{number: max(0, e.Issue.Number)}
	case e.WorkflowRun != nil:
		return e.afterRun()
	case e.MergeGroup != nil:
		ref = cmp.Or(e.MergeGroup.HeadRef, ref)
	}
	for _, pattern := range []*regexp.Regexp{queued, merging} {
		if match := pattern.FindStringSubmatch(ref); match != nil {
			number, err := strconv.Atoi(match[1])
			if err != nil {
				number = 0 // too long for one
			}
			return place{number: number, sha: sha}
		}
	}
	return place{sha: sha}
}

// afterRun is the pull request of the workflow that has run before: the commit of this
// job is the newest of the default branch and has nothing to do with it. GitHub lists
// the pull requests of every repository that has the commit, and none of a fork's run.
func (e *event) afterRun() place {
	for _, pull := range e.WorkflowRun.PullRequests {
		if pull.Number > 0 && (e.Repository.ID == 0 || pull.Base.Repo.ID == e.Repository.ID) {
			return place{number: pull.Number}
		}
	}
	return place{sha: e.WorkflowRun.HeadSHA}
}
