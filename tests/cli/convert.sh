# convert.sh: quantize: files in other types, refused ones.
. "$(dirname "$0")/lib.sh"
"$make_model" found.gguf found
"$make_picture" picture.png 64 48 dd2020

# there and back: what F32 holds exactly is not lost
run 0 quantize found.gguf -o wide.gguf --type f32
run 0 quantize wide.gguf -o back.gguf --type Q8_0 --json
lines out 1
says out '"types": {"F32": '
says out '"Q8_0": '
run 0 quantize back.gguf -o again.gguf --json
says out '"changed": 0, '
same back.gguf again.gguf
run 0 ask picture.png 'where is the red disc?' -m found.gguf --json
cp out first
run 0 quantize found.gguf -o half.gguf --type f16
says out 'tensors changed'
says out 'largest relative error'
run 0 ask picture.png 'where is the red disc?' -m half.gguf --json
says out '"objects"'
clean

run 2 quantize found.gguf -o other.gguf --type q9
refused 'is not one of f32, f16'
run 2 quantize found.gguf -o found.gguf
refused 'over itself'
run 2 quantize found.gguf
refused 'give -o'
run 2 quantize -o other.gguf
refused 'give one model file'
run 3 quantize missing.gguf -o other.gguf
refused 'missing.gguf'
head -c 2000 found.gguf >cut.gguf
run 4 quantize cut.gguf -o other.gguf
refused 'cut.gguf'
run 5 quantize found.gguf -o no/such/folder.gguf
refused 'no/such'
absent other.gguf
clean
finish
