package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/senim-kz/senim/internal/postgres"
)

var (
	sayMigrating = text{"Дерекқор құрылымы жаңартылуда", "Обновляю структуру базы данных", "Bringing the schema up to date"}
	sayMigrated  = text{"Дерекқор құрылымы жаңа.", "Структура базы данных обновлена.", "The schema is up to date."}
)

func (p *program) migrateCommand() *cobra.Command {
	var where place
	var asJSON bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date",
		Long: `Applies the migrations that the database lacks and makes the monthly partitions
ahead. It only adds, so the previous version may serve meanwhile, and it can be
run any number of times, also by several processes at once. ` + "`senim serve`" + ` and
` + "`senim up`" + ` do the same at their start; run it before, so that the start does not
wait for it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			pool, err := p.openDatabase(c.Context(), &where)
			if err != nil {
				return err
			}
			defer pool.Close()
			err = p.working(sayMigrating, func(func(string)) error {
				if err := postgres.Migrate(c.Context(), pool); err != nil {
					return err
				}
				return postgres.EnsurePartitions(c.Context(), pool, p.now())
			})
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(map[string]string{"result": sayMigrated.en})
			}
			fmt.Fprintln(p.stdout, sayMigrated.in(p.language))
			return nil
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
