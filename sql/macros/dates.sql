{# Dates and telephone numbers, for the steps of staging and core. #}

{# The calendar day of a moment, cut in the project's time zone: summer time included, and to the microsecond. #}
{% macro local_date(moment) -%}
CAST(arrow_cast({{ moment }}, 'Timestamp(Microsecond, Some("{{ time_zone }}"))') AS DATE)
{%- endmacro %}
