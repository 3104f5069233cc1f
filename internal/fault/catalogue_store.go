package fault

// Codes of the store: the database, its private cluster, the evidence log and
// the outbox.
const (
	DatabaseDown       Code = "database_unavailable"
	DatabaseBusy       Code = "database_busy"
	DatabaseDenied     Code = "database_access_denied"
	DatabaseAddress    Code = "database_address_invalid"
	DatabaseVersion    Code = "database_version_unsupported"
	MigrationFailed    Code = "migration_failed"
	PostgresMissing    Code = "postgres_not_installed"
	ClusterAccount     Code = "cluster_account_missing"
	ClusterUnreachable Code = "cluster_folder_unreachable"
	ClusterForeign     Code = "cluster_folder_foreign"
	ClusterVersion     Code = "cluster_version_mismatch"
	ClusterInUse       Code = "cluster_in_use"
	ClusterFailed      Code = "cluster_failed"
	ClusterSocket      Code = "cluster_socket_path_too_long"
	BackupFailed       Code = "backup_failed"
	BackupCorrupt      Code = "backup_corrupt"
	RestoreFailed      Code = "restore_failed"
	RestoreNotEmpty    Code = "restore_target_not_empty"
	BackupExists       Code = "backup_exists"
	BackupForeign      Code = "backup_unrecognised"
	BackupVersion      Code = "backup_version_unsupported"
	BackupUnsafe       Code = "backup_unsafe"
	RestoreOccupied    Code = "restore_folder_occupied"
	InstallationAbsent Code = "installation_absent"
	EvidenceUnknown    Code = "evidence_unknown"
	EvidenceCorrupt    Code = "evidence_corrupt"
	EvidenceTooBig     Code = "evidence_too_big"
	RecordImmutable    Code = "record_immutable"
	JobUnknown         Code = "job_unknown"
)

var storeEntries = []Entry{
	{DatabaseDown, RetryLater, "Дерекқор қолжетімсіз.", "База данных недоступна.", "The database is unavailable."},
	{DatabaseBusy, RetryLater, "Дерекқор бос емес, қайталап көріңіз.", "База данных занята, повторите запрос.", "The database is busy; try again."},
	{DatabaseDenied, Fatal, "Дерекқорға кіруге рұқсат жоқ.", "Нет доступа к базе данных.", "The database refuses access."},
	{DatabaseAddress, BadInput, "Дерекқордың мекенжайы қате.", "Неверный адрес базы данных.", "The database address is invalid."},
	{DatabaseVersion, Fatal, "PostgreSQL нұсқасына қолдау жоқ.", "Версия PostgreSQL не поддерживается.", "This version of PostgreSQL is not supported."},
	{MigrationFailed, Fatal, "Дерекқор құрылымын жаңарту сәтсіз аяқталды.", "Не удалось обновить структуру базы данных.", "The database schema could not be brought up to date."},
	{PostgresMissing, Fatal, "PostgreSQL орнатылмаған.", "PostgreSQL не установлен.", "PostgreSQL is not installed."},
	{ClusterAccount, Fatal, "PostgreSQL іске қосатын шектеулі пайдаланушы жоқ.", "Нет непривилегированного пользователя для запуска PostgreSQL.", "There is no unprivileged user to run PostgreSQL as."},
	{ClusterUnreachable, Fatal, "Дерекқор қалтасына жол жабық.", "Папка базы данных недоступна.", "The database folder cannot be reached."},
	{ClusterForeign, Fatal, "Дерекқор қалтасы басқаға тиесілі.", "Папка базы данных принадлежит другому.", "The database folder is not ours."},
	{ClusterVersion, Fatal, "Дерекқор PostgreSQL-дің басқа нұсқасымен жасалған.", "База данных создана другой версией PostgreSQL.", "The database was made by another version of PostgreSQL."},
	{ClusterInUse, Conflict, "Дерекқорды басқа процесс пайдаланып тұр.", "База данных занята другим процессом.", "Another process is using the database folder."},
	{ClusterFailed, Fatal, "Дерекқор сервері іске қосылмады немесе тоқтамады.", "Сервер базы данных не запустился или не остановился.", "The database server did not start or stop."},
	{ClusterSocket, Fatal, "Дерекқор қалтасының жолы тым ұзын.", "Слишком длинный путь к папке базы данных.", "The path of the database folder is too long."},
	{BackupFailed, Fatal, "Сақтық көшірме жасалмады.", "Не удалось создать резервную копию.", "The backup failed."},
	{BackupCorrupt, BadInput, "Сақтық көшірме бүлінген.", "Резервная копия повреждена.", "The backup is damaged."},
	{RestoreFailed, Fatal, "Сақтық көшірмеден қалпына келтіру сәтсіз аяқталды.", "Не удалось восстановить из резервной копии.", "The restore failed."},
	{RestoreNotEmpty, Conflict, "Қалпына келтірілетін дерекқор бос емес.", "База данных для восстановления не пуста.", "The database to restore into is not empty."},
	{BackupExists, Conflict, "Мұндай атаумен сақтық көшірме бар, ол қайта жазылмайды.", "Резервная копия с таким именем уже есть и не перезаписывается.", "A backup of this name exists and is not overwritten."},
	{BackupForeign, BadInput, "Бұл файл Senim сақтық көшірмесі емес.", "Этот файл — не резервная копия Senim.", "The file is not a backup of Senim."},
	{BackupVersion, BadInput, "Сақтық көшірме пішімінің бұл нұсқасына қолдау жоқ.", "Версия формата резервной копии не поддерживается.", "This version of the backup's format is not supported."},
	{BackupUnsafe, BadInput, "Сақтық көшірмеде рұқсат етілмеген элемент бар.", "Резервная копия содержит недопустимый элемент.", "The backup holds something that a backup must not hold."},
	{RestoreOccupied, Conflict, "Қалпына келтіру қалтасы бос емес.", "Папка для восстановления не пуста.", "The folder to restore into is not empty."},
	{InstallationAbsent, NotFound, "Бұл қалтада Senim орнатылмаған.", "В этой папке нет установки Senim.", "There is no installation of Senim in this folder."},
	{EvidenceUnknown, NotFound, "Мұндай дәлел жоқ.", "Такого доказательства нет.", "There is no such evidence."},
	{EvidenceCorrupt, Fatal, "Сақталған дәлел бүлінген.", "Хранимое доказательство повреждено.", "The stored evidence is damaged."},
	{EvidenceTooBig, TooLarge, "Дәлелдің көлемі шектен асады.", "Размер доказательства превышает предел.", "The evidence exceeds the size limit."},
	{RecordImmutable, Refused, "Жазбаны өзгертуге болмайды.", "Запись нельзя изменить.", "The record cannot be changed."},
	{JobUnknown, Fatal, "Тапсырма түрі белгісіз.", "Неизвестный вид задания.", "No worker knows this kind of job."},
}
