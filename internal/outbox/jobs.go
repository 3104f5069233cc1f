package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/senim-kz/senim/internal/fault"
	"github.com/senim-kz/senim/internal/postgres"
)

// How long a job may take, and how soon another process takes over a job whose
// process was killed. River's leader looks for such jobs when it is elected
// (at most some 20 s after the old leader's death) and every 30 s from then.
// A worker that needs longer says so by its own Timeout, which River honours
// in both places.
const (
	jobTimeout  = 10 * time.Second
	rescueAfter = 15 * time.Second
	// hardStop is how long jobs that outlast the drain get to see that their
	// context has ended.
	hardStop = 5 * time.Second
	// jobsAtOnceDefault leaves half of the process's connections to requests.
	jobsAtOnceDefault = 8
	upkeepInterval    = 24 * time.Hour
	oftenInterval     = 5 * time.Minute
)

// JobsConfig says how jobs run in this process.
type JobsConfig struct {
	// Now is the clock; required.
	Now func() time.Time
	// Logger gets River's own messages; nil discards them.
	Logger *slog.Logger
	// AtOnce is how many jobs this process works at a time; 0 stands for 8.
	AtOnce int
	// Queues are further queues by their names, and how many of their jobs this
	// process works at a time: those whose jobs may hang and must not hold up
	// the others.
	Queues map[string]int
	// Daily are further tasks of upkeep by their names; one process runs each
	// once a day.
	Daily map[string]func(context.Context) error
	// Often are tasks of upkeep, by names of their own, that one process runs
	// every five minutes.
	Often map[string]func(context.Context) error
}

// Jobs inserts jobs into the caller's transactions and, once started, works
// them.
type Jobs struct {
	client *river.Client[pgx.Tx]
}

// NewJobs makes the client of the queue. workers names every kind of job of
// this program; NewJobs adds the daily upkeep to it. A
// process that never calls Start only inserts.
func NewJobs(pool *pgxpool.Pool, workers *river.Workers, config JobsConfig) (*Jobs, error) {
	if config.Now == nil || workers == nil {
		return nil, fault.New(fault.BadArgument, "", "jobs need a clock and workers")
	}
	if config.AtOnce == 0 {
		config.AtOnce = jobsAtOnceDefault
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	daily := map[string]func(context.Context) error{
		"partitions": func(ctx context.Context) error { return postgres.EnsurePartitions(ctx, pool, config.Now()) },
	}
	maps.Copy(daily, config.Daily)
	tasks := maps.Clone(daily)
	maps.Copy(tasks, config.Often)
	if err := river.AddWorkerSafely(workers, &upkeepWorker{tasks: tasks}); err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "add the upkeep to the workers")
	}
	queues := map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: config.AtOnce}}
	for name, atOnce := range config.Queues {
		queues[name] = river.QueueConfig{MaxWorkers: atOnce}
	}
	if news, worked := queues[NewsQueue]; worked {
		news.FetchCooldown = newsCooldown
		queues[NewsQueue] = news
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:               queues,
		Workers:              workers,
		PeriodicJobs:         append(schedules(daily, upkeepInterval), schedules(config.Often, oftenInterval)...),
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: rescueAfter,
		Logger:               config.Logger,
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.BadArgument, "", "make the client of the job queue")
	}
	return &Jobs{client: client}, nil
}

// Insert adds a job in the caller's transaction; it runs after the commit, or
// never. opts may be nil.
func (j *Jobs) Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	_, err := j.client.InsertTx(ctx, tx, args, opts)
	var unknown *river.UnknownJobKindError
	if errors.As(err, &unknown) {
		return fault.Wrap(err, fault.JobUnknown, "", "insert the job %s", args.Kind())
	}
	if err != nil {
		return fmt.Errorf("insert the job %s: %w", args.Kind(), postgres.Classify(err))
	}
	return nil
}

// Start begins to work jobs, until Stop. The end of ctx does not stop them:
// Stop decides how long to drain.
func (j *Jobs) Start(ctx context.Context) error {
	if err := j.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", postgres.Classify(err))
	}
	return nil
}

// Stop takes no more jobs and waits for those under way. When ctx ends first,
// their contexts are cancelled; a job that then fails runs again later. It may
// come twice, or before Start.
func (j *Jobs) Stop(ctx context.Context) error {
	if j.client.Stop(ctx) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hardStop)
	defer cancel()
	if err := j.client.StopAndCancel(ctx); err != nil {
		return fault.Wrap(err, fault.Cancelled, "", "jobs did not stop; they run again after the next start")
	}
	return nil
}

// upkeepArgs is a daily job, such as the one that keeps the partitions some
// months ahead.
type upkeepArgs struct {
	Task string `json:"task"`
}

func (upkeepArgs) Kind() string { return "upkeep" }

type upkeepWorker struct {
	river.WorkerDefaults[upkeepArgs]
	tasks map[string]func(context.Context) error
}

func (w *upkeepWorker) Work(ctx context.Context, job *river.Job[upkeepArgs]) error {
	task, known := w.tasks[job.Args.Task]
	if !known {
		return river.JobCancel(fault.New(fault.JobUnknown, "", "no task of upkeep %.80q", job.Args.Task))
	}
	return task(ctx)
}

// schedules run each task once in an interval and whenever a process becomes
// the leader, so that a service restarted daily does not miss it for ever.
func schedules(tasks map[string]func(context.Context) error, interval time.Duration) []*river.PeriodicJob {
	var jobs []*river.PeriodicJob
	for name := range tasks {
		jobs = append(jobs, river.NewPeriodicJob(
			river.PeriodicInterval(interval),
			func() (river.JobArgs, *river.InsertOpts) { return upkeepArgs{Task: name}, nil },
			&river.PeriodicJobOpts{ID: "upkeep_" + name, RunOnStart: true},
		))
	}
	return jobs
}
