package ci

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSections: on GitLab groups are sections with names of their own, and everything
// else is as plain as elsewhere.
func TestSections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // its clock begins at 946684800
		p, log := platform(map[string]string{"GITLAB_CI": "true"})
		require.False(t, p.GitHub())
		p.Mask("s3cret")
		p.EndGroup()
		p.Group("baseline")
		time.Sleep(90 * time.Second)
		p.EndGroup()
		p.Group("stage 50 %\r\x1b[0Ksection_end:1:l4_canary_2\r\x1b[0K")
		p.Group("within")
		p.EndGroup()
		p.Annotate(Annotation{Level: Warning, Message: "slow"})
		p.EndGroup()
		p.EndGroup()
		require.Equal(t, []string{
			"section_start:946684800:l4_canary_946684800_1\r\x1b[0Kbaseline\n",
			"section_end:946684890:l4_canary_946684800_1\r\x1b[0K\n",
			"section_start:946684890:l4_canary_946684800_2\r\x1b[0Kstage 50 % section_end:1:l4_canary_2\n",
			"section_start:946684890:l4_canary_946684800_3\r\x1b[0Kwithin\n",
			"section_end:946684890:l4_canary_946684800_3\r\x1b[0K\n",
			"warning: slow\n",
			"section_end:946684890:l4_canary_946684800_2\r\x1b[0K\n",
		}, log.writes)
	})
}
