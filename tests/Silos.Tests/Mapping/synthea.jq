# What the mapping 'synthea' says of bundles, by other means: a line per patient, the columns joined by commas. jq -r -n --slurpfile m data/mappings/synthea.json -f
def codes($n): $m[0].columns[] | select(.name == $n) | .codes;
def has($system; $list): any(.coding[]?; .system == $system and (.code as $c | $list | index($c)));
def yes: if . then "yes" else "no" end;
def latest($date; f): [.[] | {t: getpath($date), v: f} | select(.v != null)] | if length == 0 then "" else max_by(.t).v | tostring end;
def quantity($unit): if .valueQuantity.code == $unit then .valueQuantity.value else null end;
def omb($u): [.extension[]? | select(.url | endswith($u)) | .extension[] | select(.url == "ombCategory").valueCoding.code][0] // "";
[inputs | .entry[].resource] as $all
| ([$all[] | select(.resourceType == "Medication") | {key: ("urn:uuid:" + .id), value: .code}] | from_entries) as $drug
| ([$all[] | select(.subject)] | group_by(.subject.reference) | map({key: .[0].subject.reference[9:], value: .}) | from_entries) as $of
| $all[] | select(.resourceType == "Patient") | . as $p | ($of[.id] // []) as $r
| [$r[] | select(.resourceType == "Encounter" and (.status == "finished" or .status == "in-progress"))] as $e
| [$r[] | select(.resourceType == "Condition") | select(any(.verificationStatus.coding[]; .code == "refuted" or .code == "entered-in-error") | not)] as $c
| [$r[] | select(.resourceType == "Observation" and (.status == "final" or .status == "amended" or .status == "corrected"))] as $o
| [$r[] | select(.resourceType == "MedicationRequest" and .intent == "order" and .status != "entered-in-error")] as $d
| ([$e[].period.start, $c[].onsetDateTime, $o[].effectiveDateTime, $d[].authoredOn | .[0:10]] | max) as $last
| def of($code): [$o[] | select(any(.code.coding[]; .code == $code))];
  def pressure($code): [$o[] | select(any(.code.coding[]; .code == "85354-9" or .code == "55284-4"))]
    | latest(["effectiveDateTime"]; [.component[] | select(any(.code.coding[]; .code == $code)).valueQuantity.value][0]);
  def visits($list): [$e[] | select(.class.code as $k | $list | index($k))];
  [ .id, .gender,
    (if $last == null then "" else (($last[0:4] | tonumber) - ($p.birthDate[0:4] | tonumber) - (if $last[5:] < $p.birthDate[5:] then 1 else 0 end)) | tostring end),
    .address[0].state, omb("us-core-race"), omb("us-core-ethnicity"),
    (.maritalStatus.coding[0].code | if . as $k | ["M", "S", "D", "W"] | index($k) then . else "" end), (has("deceasedDateTime") | yes),
    ($e | length | tostring), (visits(["EMER"]) | length | tostring), (visits(["IMP", "ACUTE", "NONAC", "OBSENC"]) | length | tostring),
    ($e | latest(["period", "start"]; .class.code)),
    (("diabetes", "prediabetes", "hypertension", "ischaemic_heart_disease", "heart_failure", "atrial_fibrillation", "stroke", "asthma", "copd", "kidney_disease",
      "hyperlipidaemia", "obesity", "cancer", "depression", "dementia", "osteoporosis") as $n | any($c[]; .code | has("http://snomed.info/sct"; codes($n))) | yes),
    (of("39156-5") | latest(["effectiveDateTime"]; quantity("kg/m2"))), pressure("8480-6"), pressure("8462-4"),
    (of("4548-4") | latest(["effectiveDateTime"]; quantity("%"))), (of("2093-3") | latest(["effectiveDateTime"]; quantity("mg/dL"))),
    (of("72166-2") | latest(["effectiveDateTime"]; .valueCodeableConcept.coding[0].code | if . as $k | codes("smoking") | index($k) then . else null end)),
    (("antidiabetics", "antihypertensives", "statins", "anticoagulants", "bronchodilators", "opioids") as $n
      | any($d[]; .medicationCodeableConcept // $drug[.medicationReference.reference] | has("http://www.nlm.nih.gov/research/umls/rxnorm"; codes($n))) | yes)
  ] | join(",")
