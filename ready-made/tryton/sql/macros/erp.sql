{# What the staging steps of Tryton share. #}

{# Rows of one company where `erp_company` names its number, else of all. #}
{% macro of_company(company) -%}
{%- if var('erp_company', 0) -%} {{ company }} = {{ var('erp_company', 0) }} {%- else -%} TRUE {%- endif -%}
{%- endmacro %}

{# An amount rounded as Tryton does to the digits of its currency (at most four): a half goes to the even neighbour. #}
{% macro rounded(amount, digits) -%}
CASE {{ digits }}
        WHEN 0 THEN {{ half_to_even(amount, 0, '1') }}
        WHEN 1 THEN {{ half_to_even(amount, 1, '10') }}
        WHEN 3 THEN {{ half_to_even(amount, 3, '1000') }}
        WHEN 4 THEN {{ half_to_even(amount, 4, '10000') }}
        ELSE {{ half_to_even(amount, 2, '100') }}
    END
{%- endmacro %}

{% macro half_to_even(amount, digits, factor) -%}
CAST(CASE
            WHEN abs({{ amount }} - round({{ amount }}, {{ digits }})) * {{ factor }} = CAST('0.5' AS DECIMAL(2, 1))
                THEN round({{ amount }} * CAST('0.5' AS DECIMAL(2, 1)), {{ digits }}) * 2
            ELSE round({{ amount }}, {{ digits }})
        END AS DECIMAL(18, 4))
{%- endmacro %}

{# The number behind the comma of a polymorphic reference such as `sale.sale,7`; NULL when it is of another model. #}
{% macro number_of(model, reference) -%}
CASE WHEN {{ reference }} LIKE '{{ model }},%' THEN CAST(split_part({{ reference }}, ',', 2) AS BIGINT) END
{%- endmacro %}

{# What one unit of one currency is in another, from two rates that are units of each for one of a base; NULL without. #}
{% macro exchanged(from, to) -%}
CAST(CAST({{ to }} AS DECIMAL(24, 12)) / nullif(CAST({{ from }} AS DECIMAL(24, 12)), 0) AS DECIMAL(24, 14))
{%- endmacro %}
