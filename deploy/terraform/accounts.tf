# Who does what: the steps, Dataflow's workers, who builds and submits, and model servers. Roles on
# the whole project are those that no smaller thing can have.
resource "google_service_account" "runner" {
  account_id   = "${var.name}-runner"
  display_name = "Steps of the pipeline"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "workers" {
  account_id   = "${var.name}-workers"
  display_name = "Dataflow's workers"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "submitter" {
  account_id   = "${var.name}-submit"
  display_name = "Builds images, compiles and submits"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "server" {
  account_id   = "${var.name}-server"
  display_name = "Model servers, which read the pushed models"

  depends_on = [google_project_service.used]
}

locals {
  project_roles = {
    "runner roles/aiplatform.user"      = google_service_account.runner.member
    "runner roles/dataflow.developer"   = google_service_account.runner.member
    "runner roles/logging.logWriter"    = google_service_account.runner.member
    "workers roles/dataflow.worker"     = google_service_account.workers.member
    "submitter roles/aiplatform.user"   = google_service_account.submitter.member
    "submitter roles/logging.logWriter" = google_service_account.submitter.member
  }

  # Who may start what as whom: jobs as the steps, training jobs as the step that starts them.
  acts_as = {
    submitter_runner = { member = google_service_account.submitter.member, account = google_service_account.runner.name }
    runner_runner    = { member = google_service_account.runner.member, account = google_service_account.runner.name }
    runner_workers   = { member = google_service_account.runner.member, account = google_service_account.workers.name }
  }
}

resource "google_project_iam_member" "roles" {
  for_each = local.project_roles

  project = var.project
  role    = split(" ", each.key)[1]
  member  = each.value
}

resource "google_service_account_iam_member" "acts_as" {
  for_each = local.acts_as

  service_account_id = each.value.account
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member
}
