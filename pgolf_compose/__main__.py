from pgolf_compose.cli import main

main(prog_name="pgolf-compose")
