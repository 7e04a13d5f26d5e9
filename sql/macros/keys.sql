{# Days, months, telephone numbers and e-mail addresses: the spellings that steps compare. #}

{# The calendar day of a moment, cut in the project's time zone: summer time included, and to the microsecond. #}
{% macro local_date(moment) -%}
CAST(arrow_cast({{ moment }}, 'Timestamp(Microsecond, Some("{{ time_zone }}"))') AS DATE)
{%- endmacro %}

{# The first day of a day's month. `date_trunc` would do it too, but only from 1678 to 2262. #}
{% macro first_of_month(day) -%}
CAST({{ day }} - CAST(date_part('day', {{ day }}) - 1 AS INTEGER) AS DATE)
{%- endmacro %}

{# A telephone number as digits with its country code, so that spellings of one number are equal: +49 (0)30 123-4567,
   0049301234567 and 030 1234567 are 49301234567. A number without country is read in `calling_code`. NULL when fewer
   than seven digits are left. #}
{% macro phone_key(phone) -%}
{%- set digits = "regexp_replace(replace(" ~ phone ~ ", '(0)', ''), '[^0-9+]', '', 'g')" -%}
CASE
        WHEN length(regexp_replace({{ phone }}, '[^0-9]', '', 'g')) < 7 THEN NULL
        WHEN {{ digits }} LIKE '+%' THEN substr({{ digits }}, 2)
        WHEN {{ digits }} LIKE '00%' THEN substr({{ digits }}, 3)
        WHEN {{ digits }} LIKE '0%' THEN concat('{{ var('calling_code', '49') }}', substr({{ digits }}, 2))
        ELSE {{ digits }}
    END
{%- endmacro %}

{# An e-mail address without spaces around it and in small letters; NULL when it holds no @. #}
{% macro email_key(email) -%}
CASE WHEN {{ email }} LIKE '%_@_%' THEN lower(trim({{ email }})) END
{%- endmacro %}
