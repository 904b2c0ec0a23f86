#!/bin/sh
# The examples at work on the models of models/: sh examples-c/demo.sh FOLDER
#
# FOLDER is the build folder, or an empty one: then cc builds the examples there, with an installed flowrt, each by the
# command at its beginning. Needs a POSIX shell and awk; no Python. Leaves its files in FOLDER/demo and fails if a model does
# not do what it was trained for.
set -eu

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: demo.sh FOLDER" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
bin=$build/examples
out=$build/demo
cd "$(dirname "$0")/.."
mkdir -p "$out"
if [ ! -d "$bin" ]; then
    mkdir "$bin"
    for source in examples-c/*.c; do
        arguments=$(sed -n 's/^ \*   cc \(.*\) -o .*$/\1/p' "$source" | head -n 1)
        # shellcheck disable=SC2086
        (cd examples-c && ${CC:-cc} -O2 ${CFLAGS-} $arguments ${LDFLAGS-} -o "$bin/$(basename "$source" .c)")
    done
fi

title() { printf '\n== %s\n\n' "$1"; }

# at_least VALUE BOUND WHAT: the check behind every number that the demo prints.
at_least() {
    if ! awk -v value="$1" -v bound="$2" 'BEGIN { exit !(value != "" && value + 0 >= bound + 0) }'; then
        echo "demo failed: $3 is '$1', expected at least $2" >&2
        exit 1
    fi
}

# auc FILE OTHER: the probability that a number of FILE exceeds one of OTHER.
auc() {
    awk 'NR == FNR { score[++n] = $1 + 0; next }
         { m++; for (i = 1; i <= n; i++) above += score[i] > $1 + 0 ? 1 : score[i] == $1 + 0 ? 0.5 : 0 }
         END { if (n * m) printf "%.4f", above / (n * m) }' "$1" "$2"
}

median() { sort -n "$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

title "Handwritten digits: does the density know them?"
model=models/digits_maf.flw
real=models/digits_heldout.csv

awk -F, -v OFS=, 'BEGIN { srand(1) } { for (i = 1; i <= NF; i++) $i = int(17 * rand()); print }' $real > "$out/noise.csv"
awk -F, -v OFS=, 'BEGIN { srand(2) }   # every image with its own pixels in random places
    { for (i = NF; i > 1; i--) { j = 1 + int(i * rand()); t = $i; $i = $j; $j = t } print }' $real > "$out/shuffled.csv"
awk -F, -v OFS=, 'BEGIN { srand(3) }   # every pixel from another image: its place is right, its neighbours are not
    { for (i = 1; i <= NF; i++) pixel[NR, i] = $i; width = NF }
    END { for (r = 1; r <= NR; r++) { for (i = 1; i <= width; i++) $i = pixel[1 + int(NR * rand()), i]; print } }' \
    $real > "$out/mixed.csv"

"$bin/digits" score $model $real > "$out/real.txt"
printf '%-52s median log p %8s nats\n' "real digits that the training never saw" "$(median "$out/real.txt")"
for kind in noise shuffled mixed; do
    "$bin/digits" score $model "$out/$kind.csv" > "$out/$kind.txt"
    area=$(auc "$out/real.txt" "$out/$kind.txt")
    case $kind in
    noise) what="pixels of uniform noise" bound=0.999 ;;
    shuffled) what="real digits, pixels shuffled" bound=0.999 ;;
    mixed) what="each pixel from another digit" bound=0.99 ;;
    esac
    printf '%-52s median log p %8s nats   AUC %s\n' "$what" "$(median "$out/$kind.txt")" "$area"
    at_least "$area" $bound "AUC of real digits against $what"
done

title "New digits, drawn from the flow"
"$bin/digits" draw $model 200 1 > "$out/new.csv"
"$bin/pictures" "$out/digits.png" < "$out/new.csv"
echo "All 200 are on $out/digits.png"
"$bin/digits" score $model "$out/new.csv" > "$out/new.txt"
area=$(auc "$out/new.txt" "$out/shuffled.txt")
at_least "$area" 0.999 "AUC of drawn digits against shuffled ones"

title "Images and their convolutions: a Glow and a RealNVP on digits of 28 x 28 pixels"
digits=models/images/digits.pgm
mean() { awk '{ sum += $1 } END { if (NR) printf "%.3f", sum / NR }' "$1"; }
for name in glow real_nvp; do
    "$bin/images" bits models/images/$name.flw $digits as-is 5 > "$out/bits.txt"
    echo "$name: $(mean "$out/bits.txt") bits per dimension of 100 digits that the training never saw"
    case $name in glow) bound=1.85 ;; real_nvp) bound=1.70 ;; esac
    at_least "$(awk -v bits="$(mean "$out/bits.txt")" 'BEGIN { print -bits }')" -$bound "minus the bits per dimension of $name"
    for kind in inverted shuffled noise damaged; do
        "$bin/images" bits models/images/$name.flw $digits $kind 5 > "$out/other_bits.txt"
        area=$(auc "$out/other_bits.txt" "$out/bits.txt")
        printf '    %-10s %6s bits   AUC %s\n' "$kind:" "$(mean "$out/other_bits.txt")" "$area"
        case $kind in damaged) bound=0.65 ;; *) bound=0.999 ;; esac
        at_least "$area" $bound "AUC of digits against $kind ones, by the bits of $name"
    done
    "$bin/images" draw models/images/$name.flw "$out/$name.png" 1
done
"$bin/images" between models/images/glow.flw $digits "$out/between.png"

title "Breast tumours: the flow knows benign cells, and flags the others"
data=models/breast_cancer
for kind in benign malignant; do
    "$bin/anomaly" ${data}_iaf.flw ${data}_calibration.csv 0.05 ${data}_$kind.csv > "$out/$kind.txt" 2> "$out/threshold.txt"
done
cat "$out/threshold.txt"
flagged() { awk '$2 == "ANOMALY" { n++ } END { if (NR) printf "%.3f", n / NR }' "$1"; }
count() { awk '$2 == "ANOMALY" { n++ } END { printf "%d of %d", n, NR }' "$1"; }
area=$(auc "$out/benign.txt" "$out/malignant.txt")
echo "flagged: $(count "$out/benign.txt") new benign tumours, $(count "$out/malignant.txt") malignant ones; AUC $area"
at_least "$area" 0.95 "AUC of benign against malignant tumours"
at_least "$(flagged "$out/malignant.txt")" 0.75 "the fraction of malignant tumours flagged"
at_least "$(awk -v wrong="$(flagged "$out/benign.txt")" 'BEGIN { print 1 - wrong }')" 0.85 \
    "the fraction of benign tumours left alone"

title "Which of thirty measurements is broken?"
awk -F, -v OFS=, '/^#/ { next } { broken = n++ % NF + 1; $broken = 3 * $broken; print }' ${data}_benign.csv \
    > "$out/broken.csv"   # measurement 1 of the first row, 2 of the second, is three times as large
"$bin/explain" ${data}_iaf.flw ${data}_calibration.csv "$out/broken.csv" > "$out/explained.txt"
head -n 1 "$out/explained.txt"
named() { awk '{ n += $5 == (NR - 1) % 30 + 1 } END { if (NR) print n / NR }' "$1"; }
echo "named first: the broken measurement in a fraction of $(named "$out/explained.txt") of 80 benign tumours"
at_least "$(named "$out/explained.txt")" 0.9 "the fraction of broken measurements that were named"

title "Where is the source? Four receivers, a trained likelihood, Hamiltonian Monte Carlo"
source=models/source
head -n 1 ${source}_readings.csv
"$bin/hmc" ${source}_maf.flw ${source}_readings.csv 1000 1 "$out/places.csv" | tee "$out/place.txt"
worst=$(awk 'NR > 2 && $7 > worst { worst = $7 } END { print worst }' "$out/place.txt")
at_least "$(awk -v worst="$worst" 'BEGIN { print -worst }')" -1.02 "minus the largest R-hat"
for expected in "east 0.7" "north -0.4"; do
    distance=$(awk -v name="${expected% *}" -v truth="${expected#* }" '$1 == name { d = ($2 - truth) / $3; print -d * d }' \
        "$out/place.txt")
    at_least "$distance" -9 "minus the squared distance from the source ($expected), in standard deviations"
done

title "Blood serum, given age, sex, body mass index and blood pressure"
patients=models/diabetes_heldout.csv
patient=$(grep -v '^#' $patients | head -n 1)
context=$(echo "$patient" | cut -d, -f6-9)
echo "age, sex, bmi, blood pressure = $context: total cholesterol, ldl, hdl, log triglycerides, glucose are"
"$bin/posterior" models/diabetes_maf.flw "$context"
echo "(measured: $(echo "$patient" | cut -d, -f1-5))"
coverage=$(grep -v '^#' $patients | while IFS= read -r patient; do
    "$bin/posterior" models/diabetes_maf.flw "$(echo "$patient" | cut -d, -f6-9)" 2000 |
        awk -v row="$patient" 'BEGIN { split(row, measured, ",") }
            NR > 1 { print $4 <= measured[$1] && measured[$1] <= $6 }'
done | awk '{ inside += $1 } END { if (NR == 88 * 5) printf "%.3f", inside / NR }')
echo "of all values of 88 patients that the training never saw, a fraction of $coverage lies within 5 % .. 95 %"
at_least "$coverage" 0.82 "the fraction of measurements inside their 90 % interval"

grep -v '^#' $patients | cut -d, -f6-9 > "$out/observations.csv"
grep -v '^#' $patients | cut -d, -f1-5 > "$out/measured.csv"
"$bin/posteriors" models/diabetes_maf.flw "$out/observations.csv" 2000 > "$out/posteriors.csv"
head -n 1 "$out/observations.csv" > "$out/observation.csv"
"$bin/posteriors" models/diabetes_maf.flw "$out/observation.csv" 2000 > "$out/posterior.csv"
head -n 1 "$out/posteriors.csv" | cmp - "$out/posterior.csv"
squares=$(paste -d, "$out/posteriors.csv" "$out/measured.csv" | awk -F, '
    { for (j = 0; j < 5; j++) { z = ($(11 + j) - $(2 * j + 1)) / $(2 * j + 2); total += z * z } }
    END { if (NR == 88) printf "%.3f", total / (5 * NR) }')
echo "2000 draws for each of 88 patients in two calls: (measured - mean)^2 is $squares times the variance"
at_least "$squares" 0.7 "the squared error in units of the variance"
at_least "$(awk -v squares="$squares" 'BEGIN { print -squares }')" -1.4 "minus the squared error in units of the variance"

title "Wines, and where an encoder and its inverse autoregressive flow put them"
"$bin/latent" models/canon/gated_iaf.flw models/canon/wines.csv > "$out/latent.txt"
head -n 5 "$out/latent.txt"
tail -n 1 "$out/latent.txt"
if [ "$(wc -l < "$out/latent.txt")" -ne 38 ]; then
    echo "demo failed: $out/latent.txt does not have 36 wines" >&2
    exit 1
fi
difference=$(awk 'END { print $NF }' "$out/latent.txt")
at_least "$(awk -v difference="$difference" 'BEGIN { print -difference }')" -1e-4 "minus the difference of log q from the density"

title "A model inside the program: no file, no heap"
"$bin/embedded" | tee "$out/embedded.txt"
echo 5.1,3.5,1.4,0.2 | "$bin/density" models/iris_maf.flw > "$out/density.txt"
if ! grep -q "(5.1, 3.5, 1.4, 0.2) = $(cat "$out/density.txt")\$" "$out/embedded.txt"; then
    echo "demo failed: from models/iris_maf.flw, log p of the first flower is $(cat "$out/density.txt")" >&2
    exit 1
fi

"$bin/doubles" models/iris_maf.flw 5.1 3.5 1.4 0.2 | head -n 1 | cmp - "$out/density.txt"

title "Draws are a function of seed and number"
"$bin/sample" models/iris_maf.flw 1000 7 > "$out/at_once.csv"
{ "$bin/sample" models/iris_maf.flw 300 7 && "$bin/sample" models/iris_maf.flw 700 7 300; } > "$out/in_parts.csv"
cmp "$out/at_once.csv" "$out/in_parts.csv"
echo "1000 draws at once, and 300 and then 700: the same bytes"

title "Two threads share a batch"
"$bin/parallel" models/digits_maf.flw 20000 2 > "$out/parallel.txt" # fails if a bit differs
echo "20000 draws by one thread, and by two: the same bits (how long each took is in $out/parallel.txt)"
