package outbox

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// NewsQueue is the queue of the jobs that say that there are new events. It has
// one of its own: what tells of events waits for no other job.
const NewsQueue = "events"

// newsCooldown is how soon after one such job the next is begun: the first is
// worked at once, and a hundred transactions a second make three a second.
const newsCooldown = 300 * time.Millisecond

// News is the job that follows events: whoever tells others of them works it.
// It carries nothing, because the events are found by their position.
type News struct{}

// Kind of the job.
func (News) Kind() string { return "events_published" }

// QueueNews inserts the job in a batch that the caller sends, after QueueEvents
// in the same transaction. It is one statement without a round trip of its own,
// of River's insert and of its notification.
//
// A transaction that finds one waiting leaves it at that: whoever works the one
// that waits begins later than this transaction took its numbers, and so waits
// for its end. A transaction that does not see the other's inserts a second
// one, and neither waits for the other, as they would for a unique key.
func QueueNews(batch *pgx.Batch) {
	batch.Queue(`
		WITH news AS (
			INSERT INTO river_job (kind, queue, args, max_attempts)
			SELECT $1, $2::text, '{}', 25
			 WHERE NOT EXISTS (SELECT FROM river_job WHERE state = 'available' AND queue = $2)
			RETURNING queue)
		SELECT pg_notify(current_schema() || '.river_insert', '{"queue": "' || queue || '"}') FROM news`,
		News{}.Kind(), NewsQueue)
}
