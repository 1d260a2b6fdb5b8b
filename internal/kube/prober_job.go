package kube

import (
	"context"
	"math"
	"path"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PlanFile is where a prober's pod finds its plan.
const PlanFile = "/l4-canary-plan/plan.json"

const (
	// The only labels of a prober beside those of every Job, so that nothing else selects
	// it: the Service's name, and the Job's. Those of Jobs have changed with Kubernetes.
	proberLabel    = "l4-canary.io/prober"
	proberJobLabel = "l4-canary.io/prober-job"

	proberName      = "l4-canary-prober-" // and proberRandom letters and digits, of 32
	proberRandom    = 10
	proberContainer = "prober"
	proberUser      = 65532 // nobody in particular; any that is not root

	proberLook   = 5 * time.Second
	proberCloses = time.Second // a CI system kills a cancelled run soon

	// A prober whose run was killed, so that nobody follows it, ends this long after
	// its window would have, and is removed so many seconds later.
	proberSlack  = time.Minute
	proberStays  = 60
	proberLonger = time.Hour // where its window has no end
)

// proberJob is a Job with one pod that is made once, may do nothing, and goes with the
// Lease.
func (c *Cluster) proberJob(ctx context.Context, name string, o ProberOptions) *batchv1.Job {
	lives := proberLonger
	if deadline, ok := ctx.Deadline(); ok {
		lives = max(0, time.Until(deadline)) + proberSlack
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.Namespace, Labels: map[string]string{proberLabel: c.Service}},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)), ActiveDeadlineSeconds: new(int64(math.Ceil(lives.Seconds()))), TTLSecondsAfterFinished: new(int32(proberStays)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{proberLabel: c.Service, proberJobLabel: name}}, Spec: proberSpec(name, o),
			},
		},
	}
	if lease := c.held.Load(); lease != nil {
		job.OwnerReferences = []metav1.OwnerReference{lease.owner()}
	}
	return job
}

// proberSpec fits the standard "restricted" for pods,
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func proberSpec(name string, o ProberOptions) corev1.PodSpec {
	const volume = "plan"
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: new(int64(1)),
		AutomountServiceAccountToken: new(false), EnableServiceLinks: new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(proberUser)), RunAsGroup: new(int64(proberUser)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{{Name: volume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}},
		Containers: []corev1.Container{{
			Name: proberContainer, Image: o.Image, Args: o.Args,
			VolumeMounts: []corev1.VolumeMount{{Name: volume, MountPath: path.Dir(PlanFile), ReadOnly: true}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), Privileged: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			// Fifty flows a second take some thousandths of a core and 20 MiB.
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			},
		}},
	}
}

// ProberPodSpec is what a quota has to have room for.
func ProberPodSpec() *corev1.PodSpec { return new(proberSpec("", ProberOptions{})) }

// proberSecret holds the plan, and goes with the Job.
func proberSecret(job *batchv1.Job, plan []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: job.Name, Namespace: job.Namespace, Labels: job.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job", Name: job.Name, UID: job.UID}},
		},
		Immutable: new(true), Data: map[string][]byte{path.Base(PlanFile): plan},
	}
}
