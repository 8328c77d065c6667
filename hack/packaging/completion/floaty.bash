# Completion of floaty(8) for bash.

_floaty() {
	local cur=${COMP_WORDS[COMP_CWORD]} mode= word words i
	local -a given=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--output | -output | =) ;;
		--fifo | -fifo) mode=fifo ;;
		--check | -check) mode=check ;;
		--test | -test | -T | --status | -status | --ready | -ready | --version | -version | --help | -help) mode=other ;;
		-*) ;;
		*) [[ ${COMP_WORDS[i - 1]} == *-output || ${COMP_WORDS[i - 1]} == = ]] || given+=("$word") ;;
		esac
	done

	COMPREPLY=()
	if [[ $cur == = ]]; then # the line ends in --output=
		cur=
		words='text json'
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == *-output || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
		words='text json'
	elif [[ $cur == -* ]]; then
		words='--fifo --check --test -T --dry-run --status --watch --ready --output --json-log --verbose -v --version --help'
	elif ((${#given[@]} == 0)) || { ((${#given[@]} == 1)) && [[ $mode == fifo || $mode == check ]]; }; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	elif [[ $mode ]]; then
		return
	elif ((${#given[@]} == 1)); then
		words='INSTANCE GROUP'
	elif ((${#given[@]} == 3)); then
		words='MASTER BACKUP FAULT STOP DELETED'
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _floaty floaty
