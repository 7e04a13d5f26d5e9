SELECT count(*) AS months FROM core.periods WHERE period <= DATE '{{ period.start }}'
